"""What a server answers to each service: names, types, values, lists, files. ISO 9506-2."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otgate_iec61850.mms import access, browse, files
from otgate_iec61850.mms.errors import AccessError, ErrorClass, ServiceFailed
from otgate_iec61850.mms.naming import ASSOCIATION, VMD, Access, Name, Variable
from otgate_iec61850.mms.service import Done
from otgate_iec61850.mms.values import NO_SUCH_OBJECT, AccessResult, Array, Failure, Value
from otgate_sim.iec61850.behaviour import Options
from otgate_sim.iec61850.filing import Files
from otgate_sim.iec61850.holding import Branch, Client, Elements, Holding, Leaf, Node, shown
from otgate_sim.iec61850.holding import described as described_
from otgate_sim.iec61850.scalars import fits

DENIED = Failure(AccessError.OBJECT_ACCESS_DENIED)
INCONSISTENT = Failure(AccessError.TYPE_INCONSISTENT)
NAME_OCTETS = 70
"""What a name may take in an answer, more than most do."""

NO_OBJECT = (ErrorClass.ACCESS, 2)
EXISTS = (ErrorClass.DEFINITION, 5)
UNDEFINED = (ErrorClass.DEFINITION, 1)
"""Classes and codes: ISO 9506-2, ServiceError."""


class Answers:
    """The services of one server, for one association."""

    def __init__(
        self,
        holding: Holding,
        client: Client,
        open_files: Files,
        options: Options,
        identity: browse.Identity,
        used: Callable[[str], bool],
    ) -> None:
        self.holding, self.client, self.files = holding, client, open_files
        self.options, self.identity = options, identity
        self.used = used
        """Tells whether a report control block uses the list of that name."""
        self.known: Mapping[type, Callable[[Any], Any]] = {
            access.Read: self.read,
            access.Write: self.write,
            browse.Identify: lambda _: self.identity,
            browse.Status: lambda _: browse.StatusReport(0, 0),
            browse.GetNameList: self.names,
            browse.GetAttributes: self.attributes,
            browse.GetList: self.members,
            browse.DefineList: self.define,
            browse.DeleteLists: self.delete,
            files.FileDirectory: self.files.directory,
            files.FileOpen: self.files.open,
            files.FileRead: self.files.read,
            files.FileClose: self.files.close,
        }

    def answer(self, service: Any) -> Any:
        """Return the response to a request.

        Raises:
            ServiceFailed: it is refused.
        """
        return self.known[type(service)](service)

    def knows(self, service: Any) -> bool:
        """Tell whether there is such a service."""
        return type(service) in self.known

    def read(self, asked: access.Read) -> access.Results:
        """Read variables, or a list."""
        results = [self._value(each) for each in self._accessed(asked.access)]
        return access.Results(results, asked.access if asked.with_specification else None)

    def _value(self, variable: Variable) -> AccessResult:
        node = self.holding.find(variable)
        return NO_SUCH_OBJECT if node is None else shown(node, self.client)

    def write(self, asked: access.Write) -> access.Written:
        """Write variables one after another."""
        variables = self._accessed(asked.access)
        if len(variables) != len(asked.values):
            raise ServiceFailed(*UNDEFINED, "a value for each variable")
        pairs = zip(variables, asked.values, strict=True)
        return access.Written([self._write(variable, value) for variable, value in pairs])

    def _write(self, variable: Variable, value: Value) -> Failure | None:
        node = self.holding.find(variable)
        if node is None:
            return NO_SUCH_OBJECT
        if not is_of(node, value):
            return INCONSISTENT
        chain = self.holding.chain(variable.name)
        whole = [each for each in chain if isinstance(each, Branch) and each.written is not None]
        if whole and whole[-1] is not node:
            return DENIED
        return put(node, value, self.client)

    def _accessed(self, wanted: Access) -> Sequence[Variable]:
        if not isinstance(wanted, Name):
            return wanted
        found = self.list_of(wanted)
        if found is None:
            raise ServiceFailed(*NO_OBJECT)
        return found

    def list_of(self, name: Name) -> tuple[Variable, ...] | None:
        """Return the members of a list, None where there is none."""
        if name.domain == ASSOCIATION:
            return self.client.lists.get(name.item)
        return self.holding.lists.get(name)

    def names(self, asked: browse.GetNameList) -> browse.Names:
        """List names, a page at a time."""
        found = self._names(asked)
        first = 0
        if asked.after is not None:
            if asked.after not in found:
                raise ServiceFailed(*UNDEFINED, "nothing to continue after")
            first = found.index(asked.after) + 1
        room = max(1, (self.client.largest_pdu - 100) // NAME_OCTETS)
        last = first + min(self.options.page, room)
        return browse.Names(found[first:last], more=last < len(found))

    def _names(self, asked: browse.GetNameList) -> list[str]:
        if asked.object_class == browse.ObjectClass.DOMAIN:
            return sorted(self.holding.domains)
        lists = asked.object_class == browse.ObjectClass.VARIABLE_LIST
        if asked.domain == ASSOCIATION:
            return sorted(self.client.lists) if lists else []
        if asked.domain == VMD:
            return []
        if asked.domain not in self.holding.domains:
            raise ServiceFailed(*NO_OBJECT)
        if lists:
            return sorted(n.item for n in self.holding.lists if n.domain == asked.domain)
        variables = asked.object_class == browse.ObjectClass.VARIABLE
        return self.holding.names(asked.domain) if variables else []

    def attributes(self, asked: browse.GetAttributes) -> browse.Attributes:
        """Tell a variable's type."""
        node = self.holding.find(Variable(asked.name))
        if node is None:
            raise ServiceFailed(*NO_OBJECT)
        return browse.Attributes(described_(node))

    def members(self, asked: browse.GetList) -> browse.ListMembers:
        """Tell the members of a list."""
        found = self.list_of(asked.name)
        if found is None:
            raise ServiceFailed(*NO_OBJECT)
        return browse.ListMembers(found, deletable=asked.name not in self.holding.fixed)

    def define(self, asked: browse.DefineList) -> Done:
        """Make a list."""
        name = asked.name
        if self.list_of(name) is not None:
            raise ServiceFailed(*EXISTS)
        if not asked.members or any(self.holding.find(each) is None for each in asked.members):
            raise ServiceFailed(*UNDEFINED)
        if name.domain == ASSOCIATION:
            self.client.lists[name.item] = asked.members
        elif name.domain in self.holding.domains:
            self.holding.lists[name] = asked.members
        else:
            raise ServiceFailed(*NO_OBJECT)
        return Done()

    def delete(self, asked: browse.DeleteLists) -> browse.Deleted:
        """Delete lists that neither the configuration nor a block holds on to."""
        matched = [name for name in asked.names if self.list_of(name) is not None]
        gone = [name for name in matched if self._deletes(name)]
        return browse.Deleted(len(matched), len(gone))

    def _deletes(self, name: Name) -> bool:
        if name.domain == ASSOCIATION:
            if self.used(f"@{name.item}"):
                return False
            del self.client.lists[name.item]
            return True
        if name in self.holding.fixed or self.used(str(name)):
            return False
        del self.holding.lists[name]
        return True


def is_of(node: Node, value: Value) -> bool:
    """Tell whether a value is of a node's type."""
    if isinstance(node, Leaf):
        return fits(node.type, value)
    members = list(node.members.values()) if isinstance(node, Branch) else node.members
    kind = Array if isinstance(node, Elements) else tuple
    if type(value) is not kind or len(value) != len(members):
        return False
    return all(is_of(each, inner) for each, inner in zip(members, value, strict=True))


def put(node: Node, value: Value, client: Client) -> Failure | None:
    """Write a value of a node's type; a structure whole, up to the first refusal."""
    if isinstance(node, Elements):
        return DENIED
    if node.written is not None:
        return node.written(value, client)
    if isinstance(node, Branch):
        if not isinstance(value, tuple):
            return INCONSISTENT
        pairs = zip(node.members.values(), value, strict=True)
        return next((no for no in (put(a, b, client) for a, b in pairs) if no), None)
    if not node.writable:
        return DENIED
    node.value = value
    return None
