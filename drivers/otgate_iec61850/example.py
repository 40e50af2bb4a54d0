"""A device as somebody would begin to write it."""

from otgate.driver import Example

EXAMPLE = Example(
    settings={"url": "mms://10.0.0.7", "reports": [{"rcb": "IED1LD0/LLN0.BR.brcb01"}]},
    scans={"normal": 10},
    points="""\
id,name,kind,address,type,unit,states,tags
ia,Current phase A,measurement,IED1LD0/MMXU1.A.phsA.cVal.mag.f [MX],FLOAT32,A,,feeder
cb,Circuit breaker,status,IED1LD0/XCBR1.Pos.stVal [ST],Dbpos,,1=open|2=closed,feeder
trip,Trip of the protection,status,IED1LD0/PTRC1.Tr.general [ST],BOOLEAN,,,protection
""",
)
