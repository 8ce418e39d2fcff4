"""What the Kubernetes API's refusals mean; the answers are those recorded from a real server where one is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.cluster import (
    ClusterError,
    Conflict,
    Expired,
    FieldCause,
    Forbidden,
    InvalidObject,
    NotFound,
    Refused,
    Throttled,
    Transient,
    Unauthorized,
    Unavailable,
    UnknownKind,
)
from edge_agent.cluster.answers import MESSAGE_LIMIT, error_of
from edge_agent.cluster.undeclared import only_undeclared, without_fields


def answer(
    status: int, message: str = "no", reason: str = "", secret: bool = False, **more: Any
) -> ClusterError:
    body = {"kind": "Status", "message": message, "reason": reason, **more}
    return error_of("ConfigMap shop/a", status, json.dumps(body).encode(), {}, secret=secret)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (401, "Unauthorized", Unauthorized),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (410, "Expired", Expired),
        (422, "Invalid", InvalidObject),
        (400, "BadRequest", InvalidObject),
        (405, "MethodNotAllowed", Refused),
        (413, "RequestEntityTooLarge", Refused),
        (415, "UnsupportedMediaType", Refused),
        (429, "TooManyRequests", Throttled),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
def test_each_answer_has_its_class_and_names_the_object(
    status: int, reason: str, kind: type[ClusterError]
) -> None:
    error = answer(status, "something happened", reason)
    assert type(error) is kind
    assert str(error) == "ConfigMap shop/a: something happened"


def test_a_path_that_leads_nowhere_is_an_unknown_kind() -> None:
    assert isinstance(error_of("x", 404, b"404 page not found\n", {}, secret=False), UnknownKind)


def test_when_to_come_back_is_taken_from_the_answer() -> None:
    error = error_of("x", 429, b"{}", {"Retry-After": "7"}, secret=False)
    assert isinstance(error, Transient)
    assert error.retry_after_s == 7.0


def test_a_body_that_is_no_json_is_said_as_it_is() -> None:
    assert "upstream gone" in str(error_of("x", 502, b"upstream gone", {}, secret=False))


def test_a_missing_right_is_named() -> None:
    error = answer(
        403,
        'deployments.apps is forbidden: User "x" cannot list resource "deployments" in API group "apps" at the cluster scope',
        "Forbidden",
    )
    assert isinstance(error, Forbidden)
    assert (error.verb, error.resource) == ("list", "deployments.apps")


def test_a_namespace_that_is_ending_is_no_missing_right() -> None:
    error = answer(
        403, "being terminated", "Forbidden", details={"causes": [{"reason": "NamespaceTerminating"}]}
    )
    assert isinstance(error, Refused)


def test_the_fields_of_an_invalid_object_are_named() -> None:
    causes = [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.size"},
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "x": must be a number',
            "field": "spec.count",
        },
    ]
    error = answer(422, "is invalid", "Invalid", details={"causes": causes})
    assert isinstance(error, InvalidObject)
    assert (
        str(error)
        == 'ConfigMap shop/a: spec.count: Invalid value: "x": must be a number; spec.size: Required value'
    )


def test_a_wrong_type_in_an_apply_is_the_objects_fault_although_the_server_says_500() -> None:
    error = answer(
        500,
        "failed to create typed patch object (/lists; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or "
        "float), got string",
    )
    assert isinstance(error, InvalidObject)
    assert error.causes == (FieldCause("spec.replicas", "expected numeric (int or float), got string"),)


def test_a_duplicate_key_in_an_apply_names_the_list() -> None:
    error = answer(
        500,
        'failed to create typed patch object (/lists; apps/v1, Kind=Deployment): .spec.template.spec.containers[name="web"].env: '
        'duplicate entries for key [name="E"]',
    )
    assert isinstance(error, InvalidObject)
    assert error.causes[0].field == 'spec.template.spec.containers[name="web"].env'


def test_strict_decoding_names_the_unknown_field() -> None:
    error = answer(
        400,
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "bogus"',
        "BadRequest",
    )
    assert isinstance(error, InvalidObject)
    assert error.causes == (FieldCause("bogus", "unknown field"),)


def test_a_webhook_that_fails_is_the_servers_decision_about_this_object() -> None:
    error = answer(
        500,
        'Internal error occurred: failed calling webhook "x.example.com": connection refused',
        "InternalError",
    )
    assert isinstance(error, Refused)
    assert "x.example.com" in str(error)


def test_a_value_quoted_at_length_is_left_out() -> None:
    value = json.dumps({"Containers": ["x" * 3000]})
    cause = {"field": "spec.template", "message": f"Invalid value: {value}: field is immutable"}
    error = answer(
        422, f"Job is invalid: spec.template: Invalid value: {value}: field is immutable", "Invalid"
    )
    named = answer(422, "Job is invalid", "Invalid", details={"causes": [cause]})
    assert str(named) == "ConfigMap shop/a: spec.template: Invalid value: field is immutable"
    assert len(error.reason) <= MESSAGE_LIMIT
    assert "xxx" not in error.reason


@pytest.mark.parametrize(
    "message",
    [
        'Secret "s" is invalid: data[password]: Invalid value: "hunter2": must be base64',
        "failed to create typed patch object (/s; v1, Kind=Secret): .data.password: expected string, got &value.valueUnstructured{Value:hunter2}",
        'admission webhook "w" denied the request: password `hunter2` is weak',
    ],
)
@pytest.mark.parametrize("status", [400, 403, 422, 500])
def test_no_value_of_a_secret_is_in_an_error(message: str, status: int) -> None:
    causes = [{"field": "data[password]", "message": 'Invalid value: "hunter2": must be base64'}]
    error = answer(status, message, "Invalid", secret=True, details={"causes": causes})
    assert "hunter2" not in str(error)
    assert "hunter2" not in repr(error.args)


def test_undeclared_fields_are_left_out_where_they_are() -> None:
    manifest = {
        "spec": {
            "a.b": 1,
            "x": 1,
            "containers": [{"name": "web", "imag": "i", "args": [{"n": 1}]}, {"name": "b", "imag": "i"}],
        }
    }
    undeclared = "field not declared in schema"
    causes = [
        FieldCause("spec.x", undeclared),
        FieldCause('spec.containers[name="web"].imag', undeclared),
        FieldCause('spec.containers[name="web"].args[0].n', undeclared),
        FieldCause('spec.containers[name="none"].imag', undeclared),
    ]
    assert only_undeclared(causes)
    assert without_fields(manifest, causes) == {
        "spec": {"a.b": 1, "containers": [{"name": "web", "args": [{}]}, {"name": "b", "imag": "i"}]}
    }
    assert "x" in manifest["spec"]
    assert not only_undeclared([*causes, FieldCause("spec.replicas", "expected numeric")])


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (
            (
                "failed to convert new object to proper version: unable to convert unstructured object to /v1, Kind=Secret: "
                "error decoding from json: illegal base64 data at input byte 6"
            ),
            (),
        ),
        (
            (
                "failed to convert new object (shop/s; /v1, Kind=Secret) to proper version: unable to convert unstructured object "
                "to /v1, Kind=Secret: illegal base64 data at input byte 6"
            ),
            (),
        ),
        (
            "failed to create typed patch object: .spec.replicas: expected numeric (int or float), got string",
            (FieldCause("spec.replicas", "expected numeric (int or float), got string"),),
        ),
    ],
)
def test_what_a_server_can_not_decode_is_the_manifests_fault(
    message: str, fields: tuple[FieldCause, ...]
) -> None:
    error = answer(500, message)
    assert isinstance(error, InvalidObject)
    assert error.causes == fields
