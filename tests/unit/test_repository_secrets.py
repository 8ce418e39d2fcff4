import pytest

from outrider.repository_secrets import (
    ARGO_CD_LABEL,
    OUTRIDER_LABEL,
    Repository,
    bare,
    credentials_of,
    repository_of,
    type_of,
)

CANARY = "s3cret-canary"


def known(url: str, *, template: bool = False, project: str = "", user: str = "git") -> Repository:
    return Repository(url, template, secret={"username": user, "password": CANARY}, project=project)


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://git.example.com", "https://git.example.com.evil.com/team/app"),
        ("https://git.example.com:84", "https://git.example.com:8443/team/app"),
        ("https://git.example.com/team", "https://git.example.com/other/app"),
        ("https://git.example.com/team", "ssh://git@git.example.com/team/app"),
    ],
)
def test_a_template_is_for_no_other_host_scheme_or_path(template: str, url: str) -> None:
    assert credentials_of(url, [known(template, template=True)]) is None


def test_what_is_said_of_a_repository_comes_before_the_template_with_the_longest_url() -> None:
    short = known("https://git.example.com", template=True, user="short")
    long = known("https://git.example.com/team", template=True, user="long")
    own = known("https://git.example.com/team/app.git", user="own")
    everything = [short, long, own]

    assert credentials_of("https://git.example.com/team/app", everything) == own
    assert credentials_of("https://git.example.com/team/other.git", everything) == long
    assert credentials_of("https://git.example.com/else", everything) == short


def test_a_repository_has_one_spelling() -> None:
    spellings = ["git@Git.example.com:team/app.git", "ssh://git@git.example.com/team/app/"]
    assert {bare(url) for url in spellings} == {"ssh://git@git.example.com/team/app"}


def test_what_is_for_one_project_is_for_no_other_s_applications() -> None:
    till = known("https://git.example.com/till", project="till")

    assert credentials_of(till.url, [till], {"till"}) == till
    assert credentials_of(till.url, [till], {"till", "default"}) is None
    assert credentials_of(till.url, [till], {"default"}) is None


def test_a_secret_is_known_by_either_label() -> None:
    for label in (ARGO_CD_LABEL, OUTRIDER_LABEL):
        manifest = {
            "metadata": {"labels": {label: "repo-creds"}},
            "stringData": {"url": "https://git.example.com", "sshKnownHosts": "keys", "tlsCaCert": "PEM"},
        }
        found = repository_of(manifest, OUTRIDER_LABEL, ARGO_CD_LABEL)
        assert found is not None
        assert found.is_template
        assert found.secret == {"ssh_known_hosts": "keys", "tls_ca": "PEM"}
        assert type_of(manifest) == ("repo-creds" if label == ARGO_CD_LABEL else "")


def test_no_text_form_shows_a_secret() -> None:
    assert CANARY not in repr(known("https://git.example.com"))
