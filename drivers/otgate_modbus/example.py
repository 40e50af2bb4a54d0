"""A device as somebody would begin to write it."""

from otgate.driver import Example

EXAMPLE = Example(
    settings={"url": "tcp://10.0.0.5:502", "unit": 1, "base": 0, "order": "ABCD"},
    scans={"fast": 0.5, "normal": 2, "slow": 60},
    points="""\
id,name,kind,address,type,scale,unit,states,deadband,scan,tags
ia,Current phase A,measurement,hr 0,u16,0.1,A,,0.5,,feeder
ua,Voltage phase A,measurement,hr 10,f32,,V,,2,,feeder
cb,Circuit breaker,status,di 3,bool,,,0=open|1=closed,,fast,feeder
wh,Energy delivered,counter,ir 100,u32,,kWh,,,slow,feeder
trip,Trip of the protection,status,hr 20.3,bool,,,,,fast,protection
""",
)
