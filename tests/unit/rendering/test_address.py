import pytest

from outrider.rendering.git.address import AddressPolicy, parse_address
from outrider.rendering.git.errors import AddressRefused


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://GitHub.com/team/app.git", "https://github.com/team/app.git"),
        ("https://example.com:443/team/app", "https://example.com/team/app"),
        ("https://example.com.:8443/a", "https://example.com:8443/a"),
        ("https://org@dev.example.com/org/_git/app", "https://org@dev.example.com/org/_git/app"),
        ("https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("ssh://git@example.com:2222/team/app.git", "ssh://git@example.com:2222/team/app.git"),
        ("ssh://git@example.com/~/app.git", "ssh://git@example.com/~/app.git"),
        ("git@github.com:team/app.git", "ssh://git@github.com/team/app.git"),
        ("example.com:app.git", "ssh://example.com/app.git"),
        ("file:///srv/git/app.git", "file:///srv/git/app.git"),
    ],
)
def test_addresses_are_taken_apart(url: str, canonical: str) -> None:
    assert parse_address(url).canonical == canonical
    assert parse_address(canonical).canonical == canonical


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/etc",
        "etc/passwd",
        "..",
        "ext::sh -c id",
        "ext::sh",
        "fd::17",
        "transport::https://example.com/a",
        "ftp://example.com/a",
        "git://example.com/a",
        "javascript:alert(1)//x y",
        "-oProxyCommand=touch:y",
        "ssh://-oProxyCommand=touch/y",
        "ssh://git@-oProxyCommand=touch/y",
        "git@-oProxyCommand=touch:y",
        "-u@example.com:y",
        "git@example.com:-upload-pack",
        "ssh://git@example.com/--upload-pack=x",
        "https://example.com/a?ref=main",
        "https://example.com/a#fragment",
        "https://example.com/../a",
        "ssh://git@example.com/",
        "oci://example.com",
        "https:///a",
        "https://user:password@example.com/a",
        "https://exa mple.com/a",
        "https://example.com/a\n",
        "https://example.com\\@evil.com/a",
        "https://example.com:99999/a",
        "https://[::1/a",
        "https://" + "a" * 300 + ".com/a",
        "https://example.com/" + "a" * 3000,
        "file://host/srv/app.git",
        "file://relative",
        "c:\\repo",
        "https://ex%61mple.com/a",
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse_address(url)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_address("https://robot:canary@example.com/a")
    assert "canary" not in str(refused.value)
    assert "robot@example.com" in str(refused.value)


def test_the_default_takes_local_files_and_no_unencrypted_transport() -> None:
    policy = AddressPolicy()

    assert policy.check("file:///srv/app.git").path == "/srv/app.git"
    with pytest.raises(AddressRefused, match=r"http is not allowed here \(allowed: file, https, oci, ssh\)"):
        policy.check("http://example.com/a")


def test_a_locked_down_policy_takes_no_local_file() -> None:
    with pytest.raises(AddressRefused, match="file is not allowed"):
        AddressPolicy.locked_down().check("file:///srv/app.git")


def test_a_policy_with_hosts_takes_those_and_what_is_below_them() -> None:
    policy = AddressPolicy.locked_down(frozenset({"git.example.com", ".corp.example.com"}))

    for url in ("https://git.example.com/a", "git@a.corp.example.com:b", "https://GIT.example.com./a"):
        policy.check(url)
    for url in ("https://example.com/a", "https://git.example.com.evil.com/a", "https://corp.example.com/a"):
        with pytest.raises(AddressRefused, match="not among the allowed hosts"):
            policy.check(url)


@pytest.mark.parametrize(
    ("ip", "allowed"),
    [
        ("140.82.112.3", True),
        ("2606:4700::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("fd00::1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses_inside_private_networks_are_reached_only_if_allowed(ip: str, allowed: bool) -> None:
    assert AddressPolicy.locked_down().allows_ip(ip) is allowed
    assert AddressPolicy().allows_ip(ip)


def test_a_host_that_somebody_vouches_for_is_reached_inside_a_private_network_and_no_other_is() -> None:
    for policy in (AddressPolicy.locked_down(), AddressPolicy.locked_down(frozenset({"git.example.com"}))):
        vouching = policy.vouching("ssh://git@Git.shop.local:2222/team/app.git")

        assert vouching.check("https://git.shop.local/other.git").host == "git.shop.local"
        assert vouching.allows_ip("192.168.1.9", "git.shop.local")
        assert not vouching.allows_ip("169.254.169.254", "git.shop.local")
        assert vouching.allows_ip("192.168.1.9", "printer.shop.local") is bool(policy.hosts)
        assert policy.vouching("file:///srv/git/app.git") == policy
    with pytest.raises(AddressRefused, match="not among the allowed hosts"):
        vouching.check("https://printer.shop.local/x.git")


@pytest.mark.parametrize(
    "ip",
    ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0", "224.0.0.1", "0.0.0.0"],  # noqa: S104 - refused
)
def test_addresses_where_no_git_server_is_are_never_reached(ip: str) -> None:
    assert not AddressPolicy.locked_down().allows_ip(ip)
    assert not AddressPolicy().allows_ip(ip)


def test_a_chart_repository_may_be_all_that_a_host_has() -> None:
    spellings = {parse_address(f"https://charts.example.com{end}").canonical for end in ("", "/")}
    assert spellings == {"https://charts.example.com/"}
