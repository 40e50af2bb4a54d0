"""A device as somebody would begin to write it."""

from otgate.driver import Example

EXAMPLE = Example(
    settings={"url": "tcp://10.0.0.6:20000", "outstation": 10, "master": 1},
    scans={"integrity": 3600},
    points="""\
id,name,kind,address,unit,states,deadband,tags
ia,Current phase A,measurement,ai 0,A,,0.5,feeder
cb,Circuit breaker,status,dbi 0,,0=moving|1=open|2=closed|3=faulty,,feeder
wh,Energy delivered,counter,ctr 0,kWh,,,feeder
trip,Trip of the protection,status,bi 3,,,,protection
""",
)
