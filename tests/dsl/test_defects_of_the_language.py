"""Every defect that the language knows (part 9 of its specification), and the wrong blueprint that shows ours.

By the number of its row: the defect in words, and cases of tests/corpus/rejected. A case under `accepted/` is a
warning here; docs/reference/compatibility.md says why. What no text alone can show is named by the test that does.
"""

from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent.parent
CORPUS: Final = TESTS / "corpus"

SHOWN: Final[dict[int, tuple[str, str]]] = {
    1: ("broken YAML", "yaml-unclosed-bracket yaml-tab-indent import-broken"),
    2: ("the root is a list", "root-is-a-list import-root-is-a-list"),
    3: ("no version", "version-missing"),
    4: ("an unknown version", "version-unknown"),
    5: ("a version that is a number", "version-is-a-number"),
    6: ("an import newer than the main file", "import-newer"),
    7: ("an unknown section", "section-unknown section-misspelled"),
    8: ("an unknown key", "key-unknown key-unknown-in-node-template property-schema-with-constraints"),
    9: ("the wrong kind of value", "kind-list-for-mapping kind-mapping-for-text kind-text-for-list kind-text-for-flag"),
    10: ("a key that is not text", "yaml-key-not-text yaml-key-yes"),
    11: ("text that is not ASCII, which we read; not UTF-8, which we refuse", "utf-8-names yaml-encoding"),
    12: ("newer than the version", "section-before-1_2 plugin-fields-before-1_2 feature-policies-before-1_3"),
    13: ("the same import twice", "import-twice"),
    14: ("an import that is not there", "import-missing import-misspelled import-url-fails import-blueprint-unknown"),
    15: ("an import of several keys, or with bad properties", "import-two-keys import-properties-before-1_5"),
    16: (
        "a bad plugin property",
        "import-plugin-property-unknown import-plugin-property-type plugin-property-misspelled",
    ),
    17: ("a namespace with --", "import-namespace-form"),
    18: ("a blueprint without a namespace", "import-blueprint-without-namespace"),
    19: ("one namespace for two blueprints; of standard types", "import-namespace-twice import-namespace-standard"),
    20: ("one name in two files", "import-defined-twice"),
    21: ("a section in two files", "import-section-twice"),
    22: ("a template without type", "template-without-type"),
    23: ("a template of an unknown type", "template-type-unknown"),
    24: ("a property that the type lacks", "property-unknown property-field-unknown"),
    25: ("a missing property", "property-missing property-missing-nested"),
    26: ("a value of the wrong type", "property-type property-default-type property-boolean-is-no-integer"),
    27: ("a function as use_external_resource", "external-function"),
    28: ("an unknown parent", "parent-unknown parent-unknown-of-relationship parent-unknown-of-data-type"),
    29: (
        "cycles",
        "inheritance-cycle inheritance-cycle-of-relationships inheritance-cycle-of-data-types "
        "data-type-contains-itself containment-cycle",
    ),
    30: ("an unknown type", "type-unknown input-unknown-type-and-default workflow-parameter-type"),
    31: ("a data type named like a primitive", "data-type-named-like-a-primitive"),
    32: ("an unknown relationship type", "relationship-type-unknown"),
    33: ("an unknown target", "relationship-target-unknown"),
    34: ("a relationship to itself", "relationship-to-itself"),
    35: ("two containers", "contained-twice"),
    36: ("a relationship outside of the families", "accepted/warning-relationship-family"),
    37: ("a bad connection type", "accepted/warning-relationship-family"),
    39: ("no lifecycle operation named", "lifecycle-operation-not-named"),
    40: ("an operation that the target lacks", "lifecycle-operation-unknown"),
    41: ("a negative number of instances", "instances-negative"),
    42: ("instances and scalable", "instances-and-scalable"),
    43: ("a capability other than scalable", "capability-unknown"),
    44: ("inconsistent numbers of instances", "scalable-range scalable-negative"),
    45: ("scalable by a text or a mapping", "scalable-text scalable-mapping"),
    46: ("a plugin without executor or with a bad one", "plugin-without-executor plugin-executor"),
    47: ("a plugin with nothing to install", "plugin-source"),
    48: ("a host_agent operation without host", "host-missing"),
    49: (
        "an implementation that is not there",
        "implementation-unknown implementation-missing-script relationship-operation-unknown "
        "relationship-missing-script workflow-mapping-unknown",
    ),
    50: ("an implementation of two plugins", "implementation-ambiguous"),
    51: ("a script without the script plugin", "script-plugin-missing"),
    52: ("a script named twice", "script-path-twice"),
    53: ("a bad executor of an operation", "operation-executor"),
    54: ("numbers of an operation out of range", "operation-numbers"),
    55: ("an operation input without value", "operation-input-missing"),
    56: ("a workflow without mapping", "workflow-without-mapping"),
    57: ("a bad availability state", "workflow-availability"),
    58: ("a group without members or with an unknown one", "group-empty group-member-unknown"),
    59: ("a group named like a template", "group-named-like-a-template"),
    60: ("an unknown group policy or trigger", "group-policy-unknown group-trigger-unknown"),
    61: ("a policy of another type, or bad targets", "policy-type policy-without-targets policy-target-unknown"),
    62: ("groups that cannot scale", "group-cycle group-overlap group-without-common-container"),
    63: ("an output without value", "output-without-value capability-without-value"),
    64: ("a bad label value", "label-value label-get-attribute label-blueprint-function"),
    65: ("a bad item_type", "item-type-without-list item-type-unknown"),
    66: ("hidden, required, no default", "input-hidden"),
    67: ("display without textarea", "input-display"),
    68: ("a bad constraint", "constraint-unknown constraint-argument constraint-message-before-1_5"),
    69: ("a default against its constraint", "constraint-violated constraint-function-default"),
    70: (
        "a bad default of a data type",
        "input-default-of-a-data-type input-default-field-unknown input-default-field-missing",
    ),
    71: ("a bad schedule", "schedule-without-since schedule-time schedule-weekdays"),
    72: ("get_input of nothing", "function-input-unknown"),
    73: ("bad function arguments", "function-arguments function-arguments-more"),
    74: ("a function of an unknown template", "function-node-unknown"),
    75: ("get_property of nothing", "function-property-missing function-index-of-a-list"),
    76: ("a keyword out of scope", "function-scope function-scope-of-a-relationship"),
    77: ("concat, merge", "feature-concat-before-1_1 feature-merge-before-1_3 function-merge-of-text"),
    78: ("functions in a circle", "accepted/warning-function-cycle"),
    85: ("two relationships to one target", "accepted/warning-two-relationships-to-one-target"),
}
"""What reading a blueprint shows."""

ELSEWHERE: Final[dict[int, tuple[str, str]]] = {
    38: ("planning/test_instances.py", "all-to-one-in-group"),
    79: ("planning/test_inputs.py", "test_all_missing_and_unknown_inputs_are_told_at_once"),
    80: ("planning/test_inputs.py", "test_types"),
    81: ("planning/test_static.py", "test_a_path_that_leads_nowhere_in_an_input_is_told"),
    82: ("planning/test_static.py", "test_every_unknown_secret_is_named"),
    83: ("planning/test_inputs.py", "test_object_types_are_judged_by_the_given_check"),
    84: ("service/test_environments.py", "test_what_the_environment_lacks_is_told_before_anything_is_made"),
    86: ("planning/test_evaluate.py", "test_outputs_leave_out_missing_secrets_and_show_ambiguity"),
    87: ("planning/test_changes.py", "test_what_an_update_cannot_do_has_a_place_and_a_fix"),
}
"""What shows when inputs are known, instances are made or things run: a file of the tests, and the test in it."""


@pytest.mark.parametrize("row", SHOWN)
def test_a_defect_has_its_case(row: int) -> None:
    for name in SHOWN[row][1].split():
        folder, _, case = name.rpartition("/")
        file = CORPUS / (folder or "rejected") / f"{case}.txt"
        assert ("warning: " if folder else "error: ") in file.read_text(encoding="utf-8"), name


@pytest.mark.parametrize("row", ELSEWHERE)
def test_a_defect_of_later_has_its_test(row: int) -> None:
    file, words = ELSEWHERE[row]
    assert words in (TESTS / file).read_text(encoding="utf-8")


def test_no_row_is_left_out() -> None:
    assert {*SHOWN, *ELSEWHERE} == set(range(1, 88))
