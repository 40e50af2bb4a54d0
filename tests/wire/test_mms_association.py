"""The opening and the end of an association, octet by octet, layer by layer."""

import pytest

from mms_talks import octets, unopened
from otgate_iec61850.mms.acse import Title
from otgate_iec61850.mms.association import Address, Ends, State
from otgate_iec61850.mms.cotp import packet
from otgate_iec61850.mms.errors import AssociationLost, AssociationRefused, Layer, Malformed
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.initiator import Initiator
from otgate_iec61850.mms.values import Bits

ENDS = Ends(
    Address(b"\0\1", b"\0\2", b"\0\0\0\3", Title((1, 3, 9999, 1), 12)),
    Address(b"\0\4", b"\0\5", b"\0\0\0\6", Title((1, 3, 9999, 106), 33)),
    Terms(largest_pdu=32_000, calling=5, called=5),
    password=b"key",
)

CONNECT_REQUEST = """
03 00 00 16   # RFC 1006: version 3, 22 octets
11 e0         # ISO 8073: 17 octets follow, CR
00 00 00 01   # destination not known yet, source 1
00            # class 0
c0 01 0d      # TPDU size 2^13
c1 02 00 01   # calling selector
c2 02 00 04   # called selector
"""

CONNECT_CONFIRM = """
03 00 00 16
11 d0         # CC
00 01 00 07   # destination 1, source 7
00
c0 01 0a      # the server takes 2^10 octets
c1 02 00 01
c2 02 00 04
"""

ASSOCIATE = """
03 00 00 cd   # RFC 1006
02 f0 80      # ISO 8073: DT, end of TSDU
0d c4         # ISO 8327-1: CN
05 06         #   connect item
13 01 00      #     protocol options
16 01 02      #     version 2
14 02 00 02   #   kernel and duplex
33 02 00 02   #   calling selector
34 02 00 05   #   called selector
c1 ae         #   user data
31 81 ab      # ISO 8823-1: CP, a set
a0 03 80 01 01              # normal mode
a2 81 a3
81 04 00 00 00 03           # calling selector
82 04 00 00 00 06           # called selector
a4 23                       # contexts
30 0f 02 01 01              #   1:
06 04 52 01 00 01           #     ACSE, 2.2.1.0.1
30 04 06 02 51 01           #     in BER, 2.1.1
30 10 02 01 03              #   3:
06 05 28 ca 22 02 01        #     MMS, 1.0.9506.2.1
30 04 06 02 51 01
61 70                       # fully encoded data
30 6e 02 01 01 a0 69        #   in context 1
60 67                       # ISO 8650-1: AARQ
a1 07 06 05 28 ca 22 02 03  # MMS, 1.0.9506.2.3
a2 06 06 04 2b ce 0f 6a     # called AP-title 1.3.9999.106
a3 03 02 01 21              # called AE-qualifier 33
a6 06 06 04 2b ce 0f 01     # calling AP-title
a7 03 02 01 0c              # calling AE-qualifier 12
8a 02 07 80                 # authentication is asked for
8b 03 52 03 01              # by password
ac 05 80 03 6b 65 79
be 32 28 30                 # user information, external
06 02 51 01 02 01 03        #   BER, context 3
a0 27
a8 25                       # ISO 9506-2: initiate request
80 02 7d 00                 # largest PDU 32000
81 01 05                    # five requests outstanding
82 01 05
83 01 0a                    # nesting
a4 16 80 01 01              # version 1
81 03 05 f1 00              # parameters str1 str2 vnam valt vlis
82 0c 03 00 00 00 00 00 00 00 00 00 01 10  # services: information report, conclude
"""

ACCEPT = """
03 00 00 92
02 f0 80
0e 89                       # AC
05 06 13 01 00 16 01 02
14 02 00 02
34 02 00 05                 # responding selector
c1 77
31 75                       # CPA
a0 03 80 01 01
a2 6e
83 04 00 00 00 06           # responding selector
a5 12                       # results, in the order of the contexts
30 07 80 01 00 81 02 51 01  #   accepted
30 07 80 01 00 81 02 51 01
61 52
30 50 02 01 01 a0 4b
61 49                       # AARE
a1 07 06 05 28 ca 22 02 03
a2 03 02 01 00              # accepted
a3 05 a1 03 02 01 00        # by the user, no diagnostic
be 32 28 30
06 02 51 01 02 01 03
a0 27
a9 25                       # initiate response
80 02 20 00                 # 8192
81 01 03                    # three outstanding
82 01 03
83 01 05
a4 16 80 01 01
81 03 05 f1 00
82 0c 03 ee 1c 00 00 04 08 00 00 79 ef 18
"""

DATA = "03000015 02f080 01000100 6108 3006 020103 a001"


def opening() -> Initiator:
    client = Initiator(ENDS)
    client.start()
    assert client.take() == octets(CONNECT_REQUEST)
    client.receive(octets(CONNECT_CONFIRM))
    assert client.state is State.ASSOCIATING
    return client


def associated() -> Initiator:
    client = opening()
    client.take()
    client.receive(octets(ACCEPT))
    return client


def test_a_client_asks_for_the_transport_connection_and_then_for_all_layers_at_once() -> None:
    assert opening().take() == octets(ASSOCIATE)


def test_what_a_server_agrees_to_governs() -> None:
    client = associated()
    assert client.state is State.OPEN
    terms = client.terms
    assert (terms.largest_pdu, terms.calling, terms.nesting) == (8192, 3, 5)
    assert terms.services == Bits(85, int("ee1c00000408000079ef18", 16) >> 3)
    client.send(bytes(2000))
    sent = client.take()
    assert sent[:7] == octets("03 00 04 04 02 f0 00")  # 2^10 octets in a packet, more follow
    assert sent[0x404:][4:7] == octets("02 f0 80")


def test_data_goes_in_the_context_that_the_server_accepted() -> None:
    client = associated()
    client.send(b"\x8b\0")
    assert client.take() == octets("""
    03 00 00 16
    02 f0 80
    01 00 01 00           # ISO 8327-1: give tokens, data
    61 09                 # fully encoded data
    30 07 02 01 03 a0 02  # in context 3
    8b 00
    """)


def test_contexts_are_those_of_the_reply() -> None:
    refused = ACCEPT.replace(
        "30 07 80 01 00 81 02 51 01\n61 52", "30 07 80 01 02 82 02 00 01\n61 52"
    )
    client = opening()
    with pytest.raises(AssociationRefused) as found:
        client.receive(octets(refused))
    assert found.value.layer is Layer.PRESENTATION


def test_lengths_of_the_reply_may_be_indefinite() -> None:
    loose = ACCEPT.replace("61 49 ", "61 80 ") + "00 00"
    loose = loose.replace("03 00 00 92", "03 00 00 94").replace("0e 89", "0e 8b")
    loose = loose.replace("c1 77", "c1 79").replace("31 75", "31 77").replace("a2 6e", "a2 70")
    loose = loose.replace("61 52", "61 54").replace("30 50 ", "30 52 ").replace("a0 4b", "a0 4d")
    client = opening()
    client.receive(octets(loose))
    assert client.state is State.OPEN


def test_what_was_negotiated_may_be_absent() -> None:
    shorter = ACCEPT.replace("83 01 05\n", "").replace("80 02 20 00  ", " ")
    for old, new in (
        ("00 92", "00 8b"), ("0e 89", "0e 82"), ("c1 77", "c1 70"), ("31 75", "31 6e"),
        ("a2 6e", "a2 67"), ("61 52", "61 4b"), ("30 50", "30 49"), ("a0 4b", "a0 44"),
        ("61 49", "61 42"), ("be 32 28 30", "be 2b 28 29"), ("a0 27", "a0 20"), ("a9 25", "a9 1e"),
    ):  # fmt: skip
        shorter = shorter.replace(old, new, 1)
    client = opening()
    client.receive(octets(shorter))
    assert client.terms.largest_pdu == 32_000


def test_a_transport_refusal_says_so() -> None:
    client = Initiator(ENDS)
    client.start()
    with pytest.raises(AssociationRefused, match="transport refused: reason 3") as found:
        client.receive(octets("0300000b 06 80 0001 0000 03"))
    assert found.value.layer is Layer.TRANSPORT


def test_a_session_refusal_says_so() -> None:
    with pytest.raises(AssociationRefused, match="session refused: unsupported protocol"):
        opening().receive(
            octets("""
        03 00 00 0f 02 f0 80
        0c 06      # RF
        11 01 01   # release the transport connection
        32 01 04   # reason
        """)
        )


def test_a_rejected_password_says_so_though_it_comes_in_an_accept() -> None:
    answer = ACCEPT.replace("a2 03 02 01 00", "a2 03 02 01 01")
    answer = answer.replace("a1 03 02 01 00", "a1 03 02 01 0d")
    with pytest.raises(AssociationRefused, match="the password is wrong"):
        opening().receive(octets(answer))


@pytest.mark.parametrize(("carried", "by"), [
    ("a022 a012 3007020101 06025101 3007020103 06025101 610c 300a 020101 a005 6403800100",
     "its application"),
    ("3003 800101", "its provider"),
    ("ffff", "its provider"),
])  # fmt: skip
def test_an_abort_ends_an_association_whatever_it_carries(carried: str, by: str) -> None:
    client = associated()
    data = octets(carried)
    head = bytes((0x19, 5 + len(data), 0x11, 1, 0x0B, 0xC1, len(data)))  # AB, user data
    with pytest.raises(AssociationLost, match=by):
        client.receive(packet(b"\x02\xf0\x80" + head + data))
    assert client.state is State.CLOSED


def test_this_end_aborts_what_it_does_not_understand() -> None:
    client = associated()
    with pytest.raises(Malformed, match="no TPKT"):
        client.receive(octets("04000016"))
    assert client.take() == octets("""
    03 00 00 32 02 f0 80
    19 29 11 01 0b c1 24   # AB: release the transport connection, by the user
    a0 22                  # ISO 8823-1: ARU
    a0 12 30 07 02 01 01 06 02 51 01 30 07 02 01 03 06 02 51 01
    61 0c 30 0a 02 01 01 a0 05
    64 03 80 01 00         # ISO 8650-1: ABRT by the service user
    """)
    assert client.malformed == 1


def test_a_server_concludes_and_releases() -> None:
    talk = unopened()
    talk.asked(), talk.heard(), talk.asked(), talk.heard()
    client = talk.requester.association
    client.release()
    talk.asked()
    assert talk.server.state is State.CLOSED
    talk.heard()
    assert client.state is State.CLOSED
