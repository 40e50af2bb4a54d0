"""What MQTT's reason codes mean, in the standard's words (MQTT 5.0, §2.4)."""

SUCCESS = 0x00
MALFORMED_PACKET = 0x81
KEEP_ALIVE_TIMEOUT = 0x8D
SESSION_TAKEN_OVER = 0x8E
PACKET_TOO_LARGE = 0x95

WORDS = {
    SUCCESS: "Success",
    0x10: "No matching subscribers",
    0x80: "Unspecified error",
    MALFORMED_PACKET: "Malformed packet",
    0x82: "Protocol error",
    0x83: "Implementation specific error",
    0x84: "Unsupported protocol version",
    0x85: "Client identifier not valid",
    0x86: "Bad user name or password",
    0x87: "Not authorized",
    0x88: "Server unavailable",
    0x89: "Server busy",
    0x8A: "Banned",
    0x8B: "Server shutting down",
    0x8C: "Bad authentication method",
    KEEP_ALIVE_TIMEOUT: "Keep alive timeout",
    SESSION_TAKEN_OVER: "Session taken over",
    0x8F: "Topic filter invalid",
    0x90: "Topic name invalid",
    0x91: "Packet identifier in use",
    0x92: "Packet identifier not found",
    0x93: "Receive maximum exceeded",
    0x94: "Topic alias invalid",
    PACKET_TOO_LARGE: "Packet too large",
    0x96: "Message rate too high",
    0x97: "Quota exceeded",
    0x98: "Administrative action",
    0x99: "Payload format invalid",
    0x9A: "Retain not supported",
    0x9B: "QoS not supported",
    0x9C: "Use another server",
    0x9D: "Server moved",
    0x9E: "Shared subscriptions not supported",
    0x9F: "Connection rate exceeded",
    0xA0: "Maximum connect time",
    0xA1: "Subscription identifiers not supported",
    0xA2: "Wildcard subscriptions not supported",
}


def words(code: int) -> str:
    """Return what ``code`` means, or its number where the standard has no words for it."""
    return WORDS.get(code) or f"reason code 0x{code:02X}"
