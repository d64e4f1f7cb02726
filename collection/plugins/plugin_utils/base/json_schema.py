# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that needs the package jsonschema, which the collection alone may be without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

try:
    import jsonschema
except ImportError as error:  # the collection alone, without what its requirements name
    _LACKS: ImportError | None = error
else:
    _LACKS = None


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return a validator of `schema`. Raises FleetdiagError, which says what to install, where it is missing."""
    if _LACKS is not None:
        raise FleetdiagError(
            f"{_LACKS}: checking probes takes the Python package jsonschema beside Ansible on the controller;"
            " install what meta/requirements.txt of the collection names: pip install jsonschema"
        )
    return jsonschema.Draft202012Validator(schema)
