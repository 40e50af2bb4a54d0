"""Sessions, schedules, breakers and back-off: keeps every device read, and says when it is not."""

from otgate.supervisor.pace import Pace
from otgate.supervisor.status import DeviceStatus, State
from otgate.supervisor.supervisor import Outlet, Supervisor

__all__ = ["DeviceStatus", "Outlet", "Pace", "State", "Supervisor"]
