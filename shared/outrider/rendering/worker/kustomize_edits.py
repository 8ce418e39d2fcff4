"""Change a kustomization as Argo CD does, with `kustomize edit`, from the options in the Application.

The kustomization itself is changed and not wrapped into another one: an image that is renamed in it must be found under the name
it has there. The rules are those of `kustomize edit set image|replicas|namespace|nameprefix|namesuffix` and
`edit add label|annotation|component`.
"""

from typing import Any

from outrider.rendering.errors import RenderError

STAGE = "kustomize"
_KEEP = "*"


def edited(content: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the kustomization with the options put in; RenderError names the option that can't be."""
    changed = dict(content)
    for option, field in (
        ("name_prefix", "namePrefix"),
        ("name_suffix", "nameSuffix"),
        ("namespace", "namespace"),
    ):
        if options.get(option):
            changed[field] = options[option]
    if options.get("images"):
        changed["images"] = _images(_list(content, "images"), options["images"])
    if options.get("replicas"):
        changed["replicas"] = _by_name([*_list(content, "replicas"), *options["replicas"]])
    if options.get("common_labels"):
        _labels(changed, options)
    if options.get("common_annotations"):
        force = options.get("force_common_annotations", False)
        added = options["common_annotations"]
        changed["commonAnnotations"] = _added(
            content.get("commonAnnotations"), added, force, "commonAnnotations"
        )
    if options.get("patches"):
        changed["patches"] = [*_list(content, "patches"), *map(_patch, options["patches"])]
    if options.get("components"):
        present = _list(content, "components")
        changed["components"] = [*present, *(item for item in options["components"] if item not in present)]
    return changed


def _list(content: dict[str, Any], field: str) -> list[Any]:
    value = content.get(field) or []
    if not isinstance(value, list):
        raise RenderError(STAGE, "is no list", field=field)
    return value


def _by_name(items: list[Any]) -> list[Any]:
    """Return the items in the order of their names, the last of each name."""
    named = {
        item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)
    }
    return [named[name] for name in sorted(named)]


def _images(present: list[Any], wanted: list[str]) -> list[Any]:
    images = {item["name"]: item for item in _by_name(present)}
    for text in wanted:
        image = _image(text)
        before = images.get(image["name"], {})
        # An asterisk keeps what the kustomization says.
        kept = {key: before.get(key, "") if value == _KEEP else value for key, value in image.items()}
        images[image["name"]] = {key: value for key, value in kept.items() if value}
    return [images[name] for name in sorted(images)]


def _image(text: str) -> dict[str, str]:
    """Take `name=newname:tag@digest` apart, of which `name=` or the rest may be missing."""
    old, equals, new = text.partition("=")
    name, tag, digest = split_image(new if equals else old)
    if not equals and name == text:
        reason = f"{text!r} changes nothing: write name:tag, name@digest or name=newname"
        raise RenderError(STAGE, reason, field="spec.source.kustomize.images")
    image = {"name": old if equals else name, "newTag": tag, "digest": digest}
    if equals:
        image["newName"] = name
    return image


def split_image(text: str) -> tuple[str, str, str]:
    """Return an image's name, tag and digest; a colon in the registry's host is no tag."""
    name, _, digest = text.partition("@")
    slash = name.find("/")
    colon = name.find(":", max(0, slash))
    if colon < 0:
        return name, "", digest
    return name[:colon], name[colon + 1 :], digest


def _labels(changed: dict[str, Any], options: dict[str, Any]) -> None:
    force, added = options.get("force_common_labels", False), options["common_labels"]
    if not options.get("label_without_selector"):
        changed["commonLabels"] = _added(changed.get("commonLabels"), added, force, "commonLabels")
        return
    templates = options.get("label_include_templates", False)
    labels = list(_list(changed, "labels"))
    for index, item in enumerate(labels):
        same = (
            isinstance(item, dict)
            and not item.get("includeSelectors")
            and bool(item.get("includeTemplates")) == templates
        )
        if same:
            labels[index] = {**item, "pairs": _added(item.get("pairs"), added, force, "labels")}
            break
    else:
        labels.append({"pairs": dict(added), "includeSelectors": False, "includeTemplates": templates})
    changed["labels"] = labels


def _added(present: Any, added: dict[str, str], force: bool, field: str) -> dict[str, Any]:
    merged = dict(present) if isinstance(present, dict) else {}
    for key, value in added.items():
        if key in merged and not force:
            reason = f"{key!r} is in the kustomization already; set force{field[0].upper()}{field[1:]} to replace it"
            raise RenderError(STAGE, reason, field=field)
        merged[key] = value
    return merged


def _patch(patch: dict[str, Any]) -> dict[str, Any]:
    target = patch.get("target")
    named = {
        "annotationSelector": "annotation_selector",
        "labelSelector": "label_selector",
        **{name: name for name in ("group", "version", "kind", "name", "namespace")},
    }
    written = {key: patch[key] for key in ("path", "patch", "options") if patch.get(key)}
    if target:
        written["target"] = {name: target[key] for name, key in named.items() if target.get(key)}
    return written
