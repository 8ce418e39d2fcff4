"""Enter kubernetes-asyncio without its generated models.

Importing the package runs its `__init__`, which imports 1,500 generated models and every API class: 38 MiB
that the agent never uses, since it speaks raw JSON. Here its packages are stood in for by empty modules with
the same `__path__`, so that the few modules for configuration, credentials and transport import as they are.
What is imported this way is private to the agent: the stand-ins and everything below them leave `sys.modules`
again, so that other code in the process (tests) may import the whole package. Where somebody imported the
whole package before, that one is used.

`urllib3` (2 MiB) is stood in for too: the configuration imports it for one method, basic authentication,
which the agent does by itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

_PACKAGE = "kubernetes_asyncio"
_STOOD_IN = (_PACKAGE, f"{_PACKAGE}.client", f"{_PACKAGE}.config")

# What was entered so far, by full name. Filled once at start, from one thread.
_private: dict[str, ModuleType] = {}


def configuration() -> Any:
    """Return the class that holds host, TLS files, proxy and token."""
    return _load(f"{_PACKAGE}.client.configuration").Configuration


def rest_client() -> Any:
    """Return the class that sends requests over aiohttp as a configuration says."""
    return _load(f"{_PACKAGE}.client.rest").RESTClientObject


def in_cluster() -> Any:
    """Return the module that reads a Pod's service account."""
    return _load(f"{_PACKAGE}.config.incluster_config")


def refusal() -> type[Exception]:
    """Return the exception of both for a configuration that can't be read."""
    found: type[Exception] = _load(f"{_PACKAGE}.config.config_exception").ConfigException
    return found


def kubeconfig() -> Any:
    """Return the module that reads kubeconfig files; it brings PyYAML with it."""
    return _load(f"{_PACKAGE}.config.kube_config")


def _load(name: str) -> Any:
    if name in _private:
        return _private[name]
    if _PACKAGE in sys.modules:
        return importlib.import_module(name)
    stand_ins = [package for package in _STOOD_IN if package not in _private]
    for package in stand_ins:
        _private[package] = _stand_in(package)
    hide_urllib3 = "urllib3" not in sys.modules
    sys.modules.update(_private)
    if hide_urllib3:
        sys.modules["urllib3"] = ModuleType("urllib3")
    try:
        if stand_ins:
            client = _private[f"{_PACKAGE}.client"]
            # The configuration loaders take both names from the package; the agent makes its own client.
            client.Configuration = importlib.import_module(f"{_PACKAGE}.client.configuration").Configuration  # type: ignore[attr-defined]
            client.ApiClient = object  # type: ignore[attr-defined]
        return importlib.import_module(name)
    finally:
        entered = {key: module for key, module in sys.modules.items() if key.partition(".")[0] == _PACKAGE}
        _private.update(entered)
        for key in entered:
            del sys.modules[key]
        if hide_urllib3:
            del sys.modules["urllib3"]


def _stand_in(package: str) -> ModuleType:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{_PACKAGE} is not installed", name=_PACKAGE)
    below = package.removeprefix(_PACKAGE).replace(".", "/")
    module = ModuleType(
        package, f"Stands in for {package}, whose own imports cost memory that the agent has no use for."
    )
    module.__path__ = [spec.submodule_search_locations[0] + below]
    return module
