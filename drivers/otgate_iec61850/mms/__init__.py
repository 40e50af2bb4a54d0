"""MMS as substations speak it, standard library alone, both ends of an association.

Octets go through `cotp`, `session`, `presentation` and `acse`, put together by `association`;
`pdu` and `services` hold what MMS says; `client` asks over `connection`, which alone does input
and output. What IEC 61850-8-1 builds upon MMS is in `reference`, `quality`, `rcb`, `report` and
`control`.
"""
