"""The kinds of fault that reading a blueprint can find: code, summary and explanation, as docs/errors.md lists them.

Where each is found, and the words for what was expected and found there, are in the modules that look for it.
"""

from typing import Final

from groundplan.diagnostics.diagnostic import Fault, Severity

_CATALOGUE: list[Fault] = []


def _error(code: str, summary: str, explanation: str) -> Fault:
    fault = Fault(code=code, summary=summary, explanation=explanation)
    _CATALOGUE.append(fault)
    return fault


def _warning(code: str, summary: str, explanation: str) -> Fault:
    fault = Fault(code=code, summary=summary, explanation=explanation, severity=Severity.WARNING)
    _CATALOGUE.append(fault)
    return fault


# The text
YAML_SYNTAX: Final = _error("yaml-syntax", "Broken YAML", "The text is not YAML; the place is where reading stopped.")
YAML_ENCODING: Final = _error(
    "yaml-encoding", "Not UTF-8", "Files are read as UTF-8 (or UTF-16 with a byte order mark)."
)
YAML_LIMIT: Final = _error(
    "yaml-limit",
    "Too large to read",
    "Size, depth and what aliases stand for are limited, so that no text can exhaust the machine.",
)
YAML_TAG: Final = _error("yaml-tag", "Unknown YAML tag", "Only the tags of YAML's own plain types are read.")
YAML_VALUE: Final = _error(
    "yaml-value", "Unreadable value", "The text is no value of its type, or JSON cannot hold it."
)
YAML_KEY: Final = _error(
    "yaml-key", "Key is not text", "Keys are text. YAML 1.1 reads yes, no, on, off, null and numbers as other things."
)
YAML_DUPLICATE: Final = _error(
    "yaml-duplicate", "Key written twice", "A mapping holds each key once; the two values differ, so one would be lost."
)
YAML_DUPLICATE_SAME: Final = _warning(
    "yaml-duplicate-same", "Key repeated", "A mapping holds the same key twice with the same value; one can go."
)
YAML_ALIAS: Final = _error(
    "yaml-alias", "Undefined alias", "An alias *name needs an anchor &name that ends before it, in the same file."
)
YAML_MERGE: Final = _error("yaml-merge", "Bad merge", "The value of << is a mapping or a list of mappings.")

# The shape of the document
DOCUMENT_ROOT: Final = _error("document-root", "Not a blueprint", "A blueprint is a mapping of sections.")
VERSION_MISSING: Final = _error(
    "version-missing", "No DSL version", "The main file names its tosca_definitions_version."
)
VERSION_UNKNOWN: Final = _error(
    "version-unknown", "Unknown DSL version", "Versions run from cloudify_dsl_1_0 to cloudify_dsl_1_5."
)
VERSION_NEWER: Final = _error(
    "version-newer", "Import newer than the blueprint", "An imported file's DSL version is at most the main file's."
)
FEATURE_VERSION: Final = _error(
    "feature-version", "Needs a newer DSL version", "The main file's version does not have this yet."
)
SECTION_UNKNOWN: Final = _error(
    "section-unknown", "Unknown section", "A blueprint has a closed set of top-level sections."
)
KEY_UNKNOWN: Final = _error("key-unknown", "Unknown key", "Every element takes a closed set of keys.")
KEY_MISSING: Final = _error("key-missing", "Missing key", "The element needs this key.")
KIND_WRONG: Final = _error(
    "kind-wrong", "Wrong kind of value", "A mapping, a list, text or a number stands where another is due."
)

# Imports and merging
IMPORT_FORM: Final = _error(
    "import-form",
    "Bad import",
    "An import is text, or (since 1_5) a mapping with the import as its only key and plugin properties as its value.",
)
IMPORT_DUPLICATE: Final = _error("import-duplicate", "Imported twice", "One file imports the same thing once.")
IMPORT_MISSING: Final = _error(
    "import-missing",
    "Import not found",
    "The file is looked for beside the file that names it and among the bundled resources.",
)
BLUEPRINT_MISSING: Final = _error(
    "blueprint-missing",
    "Blueprint not found",
    "There is no readable file of that name, or nothing uploaded under that id.",
)
IMPORT_OUTSIDE: Final = _error(
    "import-outside",
    "Import leaves the blueprint's folder",
    "What a blueprint reads lies in its folder, links resolved; --allow-local-files lifts this on one's own machine.",
)
IMPORT_FAILED: Final = _error("import-failed", "Import could not be fetched", "The address did not answer with a text.")
IMPORT_LIMIT: Final = _error(
    "import-limit",
    "Too many imports",
    "A blueprint is made of at most 500 files, in namespaces at most 8 deep; a file that imports itself under a "
    "namespace has no end.",
)
PLUGIN_UNAVAILABLE: Final = _error(
    "plugin-unavailable",
    "Plugin not installed",
    "The import names no plugin that is installed, or that an installed one stands for, in a version it admits.",
)
PLUGIN_PROPERTY: Final = _error(
    "plugin-property",
    "Bad plugin property",
    "An import may set the properties that the imported plugin declares, with values of their types.",
)
NAMESPACE_FORM: Final = _error("namespace-form", "Bad namespace", "A namespace is one name before `--`.")
NAMESPACE_MISSING: Final = _error(
    "namespace-missing",
    "Blueprint imported without a namespace",
    "blueprint: imports are written NAMESPACE--blueprint:ID.",
)
NAMESPACE_SHARED: Final = _error(
    "namespace-shared", "Namespace of two blueprints", "One namespace serves one imported blueprint."
)
NAMESPACE_STANDARD: Final = _error(
    "namespace-standard",
    "Standard types in a namespace",
    "Files that declare cloudify.nodes.Root are imported without a namespace.",
)
DEFINED_TWICE: Final = _error(
    "defined-twice", "Defined in two files", "Files that are merged may not define the same name."
)
SECTION_TWICE: Final = _error(
    "section-twice", "Section in two files", "This section cannot be merged in this DSL version."
)
REDEFINED: Final = _warning(
    "redefined",
    "Standard definition wins",
    "A definition of a cloudify.* name, or of a built-in workflow, gives way to the imported one; use another name.",
)

# Types and properties
TYPE_UNKNOWN: Final = _error(
    "type-unknown", "Unknown type", "A type is a primitive, an object type or a data type of the blueprint."
)
PARENT_UNKNOWN: Final = _error("parent-unknown", "Unknown parent type", "derived_from names a type of the same kind.")
INHERITANCE_CYCLE: Final = _error("inheritance-cycle", "Inheritance cycle", "A type cannot be its own ancestor.")
INHERITANCE_DEEP: Final = _error("inheritance-deep", "Too many ancestors", "A type has at most 100 ancestors.")
DATA_TYPE_LARGE: Final = _error(
    "data-type-large",
    "Data type too large",
    "Data types in data types are at most 50 deep and hold at most 10,000 fields in all.",
)
DATA_TYPE_CYCLE: Final = _error("data-type-cycle", "Data type contains itself", "A value of such a type could not end.")
DATA_TYPE_PRIMITIVE: Final = _error(
    "data-type-primitive", "Data type named like a primitive", "The names of primitive types are taken."
)
NODE_TYPE_UNKNOWN: Final = _error(
    "node-type-unknown", "Unknown node type", "The type of a node template is declared in node_types or imported."
)
PROPERTY_UNKNOWN: Final = _error("property-unknown", "Unknown property", "The type does not declare this property.")
PROPERTY_MISSING: Final = _error(
    "property-missing", "Missing property", "A property without default is required unless it says otherwise."
)
PROPERTY_TYPE: Final = _error("property-type", "Wrong property type", "The value is not of the declared type.")
EXTERNAL_FUNCTION: Final = _error(
    "external-function",
    "Function decides use_external_resource",
    "use_external_resource decides what is checked here, so it is true or false.",
)

# Relationships
RELATIONSHIP_TYPE_UNKNOWN: Final = _error(
    "relationship-type-unknown",
    "Unknown relationship type",
    "The type of a relationship is declared in relationships or imported.",
)
TARGET_UNKNOWN: Final = _error(
    "target-unknown", "Unknown relationship target", "The target of a relationship is a node template."
)
TARGET_SELF: Final = _error("target-self", "Relationship to itself", "A node template cannot depend on itself.")
CONTAINED_TWICE: Final = _error(
    "contained-twice", "Two containers", "A node template is contained in at most one other."
)
CONTAINMENT_CYCLE: Final = _error(
    "containment-cycle", "Containment cycle", "A node template cannot contain its own container."
)
RELATIONSHIP_CYCLE: Final = _error(
    "relationship-cycle",
    "Relationship cycle",
    "A node is installed after the targets of its relationships, so these cannot lead back to it.",
)
LIFECYCLE_MISSING: Final = _error(
    "lifecycle-missing",
    "No operation named",
    "A depends_on_lifecycle_operation relationship has the property operation.",
)
LIFECYCLE_UNKNOWN: Final = _error(
    "lifecycle-unknown",
    "Target lacks the operation",
    "The named operation is one of the target's cloudify.interfaces.lifecycle.",
)
RELATIONSHIP_FAMILY: Final = _warning(
    "relationship-family",
    "Relationship outside the known families",
    "Types that derive from neither depends_on, connected_to nor contained_in cannot be instantiated.",
)
CONNECTION_TYPE: Final = _warning(
    "connection-type",
    "Unknown connection type",
    "connection_type is all_to_all or all_to_one; instances cannot be built otherwise.",
)
INTERFACE_MISSPELT: Final = _warning(
    "interface-misspelt",
    "Perhaps a misspelt operation",
    "Workflows run operations by name, so an interface or an operation that is nearly one of the type's does nothing.",
)
FUNCTION_MISSPELT: Final = _warning(
    "function-misspelt",
    "Perhaps a misspelt function",
    "A mapping whose only key is no function's name is plain data. This one is a slip away from a function.",
)
TARGET_TWICE: Final = _warning(
    "target-twice",
    "Two relationships to one target",
    "Both run here; the incumbent engine runs only the last one's operations.",
)

# Scaling
INSTANCES_NUMBER: Final = _error(
    "instances-number", "Bad number of instances", "instances.deploy is a whole number from 0."
)
INSTANCES_TWICE: Final = _error(
    "instances-twice", "Two ways to scale", "instances and capabilities.scalable exclude each other."
)
SCALABLE_RANGE: Final = _error(
    "scalable-range",
    "Inconsistent numbers of instances",
    "0 <= min <= default <= max, and max is at least 1 or UNBOUNDED.",
)
SCALABLE_VALUE: Final = _error(
    "scalable-value",
    "Bad number of instances in scalable",
    "A whole number, a function, or UNBOUNDED for max_instances.",
)

# Plugins and operations
EXECUTOR: Final = _error("executor", "Unknown executor", "An executor is central_deployment_agent or host_agent.")
PLUGIN_SOURCE: Final = _error(
    "plugin-source", "Nothing to install", "A plugin to install has a source or a package_name."
)
HOST_MISSING: Final = _error(
    "host-missing", "No host for a host_agent operation", "The node template is neither a host nor contained in one."
)
IMPLEMENTATION_UNKNOWN: Final = _error(
    "implementation-unknown",
    "Unknown implementation",
    "An implementation begins with a declared plugin's name and a dot, or is a script in the blueprint's folder.",
)
SCRIPT_MISSING: Final = _warning(
    "script-missing",
    "Script not there yet",
    "The name is that of a script, which may still be added beside the blueprint; an upload refuses it.",
)
IMPLEMENTATION_AMBIGUOUS: Final = _error(
    "implementation-ambiguous", "Implementation of two plugins", "More than one declared plugin's name begins it."
)
SCRIPT_PLUGIN_MISSING: Final = _error(
    "script-plugin-missing",
    "No script plugin",
    "Scripts run through a plugin whose name ends in `script`; the standard types declare it.",
)
SCRIPT_PATH_TWICE: Final = _error(
    "script-path-twice",
    "Script named twice",
    "The implementation is the script already, so script_path and script_source cannot be inputs.",
)
OPERATION_NUMBER: Final = _error(
    "operation-number", "Number out of range", "max_retries is from -1 (unlimited), intervals and timeouts from 0."
)
OPERATION_INPUT_MISSING: Final = _error(
    "operation-input-missing",
    "Missing operation input",
    "Every input that the type's operation declares needs a value.",
)
AVAILABILITY: Final = _error(
    "availability", "Unknown availability state", "node_instances_active takes all, partial and none."
)

# Groups and policies
GROUP_EMPTY: Final = _error("group-empty", "Empty group", "A group has at least one member.")
GROUP_MEMBER_UNKNOWN: Final = _error(
    "group-member-unknown", "Unknown group member", "Members are node templates and other groups."
)
GROUP_NAME: Final = _error(
    "group-name", "Group named like a node template", "Groups and node templates share their names."
)
GROUP_POLICY_UNKNOWN: Final = _error(
    "group-policy-unknown", "Unknown policy type", "The type of a group's policy is declared in policy_types."
)
GROUP_TRIGGER_UNKNOWN: Final = _error(
    "group-trigger-unknown", "Unknown trigger type", "The type of a trigger is declared in policy_triggers."
)
POLICY_TYPE: Final = _error(
    "policy-type", "Unsupported policy type", "The only policy type is cloudify.policies.scaling."
)
POLICY_TARGETS: Final = _error("policy-targets", "Policy without targets", "A policy has at least one target.")
POLICY_TARGET_UNKNOWN: Final = _error(
    "policy-target-unknown", "Policy target is not a group", "The targets of a scaling policy are groups."
)
GROUP_CYCLE: Final = _error("group-cycle", "Group contains itself", "Membership of groups has no cycles.")
GROUP_OVERLAP: Final = _error(
    "group-overlap", "Member of two scaling groups", "A node template or group scales with one group."
)
GROUP_CONTAINERS: Final = _error(
    "group-containers",
    "Members without a common container",
    "Members that are contained elsewhere must share a container, so that they can scale together.",
)
LEGACY_POLICY: Final = _warning("legacy-policy", "Policy has no effect", "Event-driven policies are read and ignored.")

# Inputs and constraints
ITEM_TYPE_MISPLACED: Final = _error(
    "item-type-misplaced", "item_type without a list", "item_type goes with type: list."
)
ITEM_TYPE_UNKNOWN: Final = _error(
    "item-type-unknown", "Unknown item type", "The items of a list are of a primitive or an object type."
)
INPUT_HIDDEN: Final = _error(
    "input-hidden", "Hidden input without a value", "A hidden input is optional or has a default."
)
DISPLAY_MISPLACED: Final = _error(
    "display-misplaced", "display without a textarea", "display goes with type: textarea."
)
CONSTRAINT_UNKNOWN: Final = _error(
    "constraint-unknown",
    "Unknown constraint",
    "A constraint is a mapping with one known operator, and since 1_5 an error_message.",
)
CONSTRAINT_ARGUMENT: Final = _error(
    "constraint-argument", "Bad constraint argument", "The operator takes another kind of argument."
)
CONSTRAINT_MISPLACED: Final = _error(
    "constraint-misplaced", "Constraint on the wrong type", "The operator works on other types of inputs."
)
CONSTRAINT_VIOLATED: Final = _error(
    "constraint-violated", "Default against its constraint", "A default satisfies the constraints of its input."
)
CONSTRAINT_FUNCTION: Final = _error(
    "constraint-function",
    "Function as a constrained default",
    "A function's value is not known here, so it cannot be held against the constraints.",
)

# Labels and settings
LABEL_VALUE: Final = _error(
    "label-value",
    "Bad label value",
    "Values of labels are text, and in labels (not blueprint_labels) functions other than get_attribute.",
)
LABEL_KEY: Final = _error(
    "label-key", "Bad label key", "Keys are letters, digits, - . _, at most 256 of them; csys- is reserved."
)
SCHEDULE_TIME: Final = _error("schedule-time", "Bad time", "A time is YYYY-MM-DD HH:MM, HH:MM or parts like +4 hours.")
SCHEDULE_RECURRENCE: Final = _error(
    "schedule-recurrence", "Bad recurrence", "A number with a unit of time, and weekdays mo to su."
)

# Functions
FUNCTION_ARGUMENTS: Final = _error(
    "function-arguments", "Bad function arguments", "The function takes other arguments."
)
FUNCTION_SCOPE: Final = _error(
    "function-scope",
    "Keyword out of scope",
    "SELF belongs in a node template, SOURCE and TARGET in the operations of a relationship.",
)
FUNCTION_FORBIDDEN: Final = _error(
    "function-forbidden", "Function not allowed here", "The place is evaluated when nothing of that kind exists yet."
)
INPUT_UNKNOWN: Final = _error("input-unknown", "Unknown input", "get_input names an input of the blueprint.")
NODE_UNKNOWN: Final = _error(
    "node-unknown", "Unknown node template", "The function names a node template of the blueprint."
)
REFERENCE_MISSING: Final = _error(
    "reference-missing", "No such property", "get_property leads to a property, key or item that exists."
)
FUNCTION_CYCLE: Final = _warning(
    "function-cycle", "Functions that need each other", "The value can never be known; creating a deployment fails."
)

# What is read and does nothing
AGENT_IGNORED: Final = _warning(
    "agent-ignored",
    "Agents are not installed",
    "Operations run centrally and over the network; agent settings have no effect.",
)

FAULTS: Final = tuple(_CATALOGUE)
