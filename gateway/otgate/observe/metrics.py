"""Every metric that a side has. What a side may show of another zone is decided here.

Labels are bounded: devices on the field side, and nowhere points. The bus side has its own conduit
for a label and counts devices by state without naming them: what it may know of is no more than
what crosses.
"""

from collections.abc import Iterator

from otgate.observe.exposition import Kind, Metric

COUNTER, GAUGE, HISTOGRAM = Kind

# Of both sides

BUILD = Metric(
    "otgate_build_info", GAUGE, "1; which version and side this is.", ("version", "side")
)
HEALTHY = Metric("otgate_healthy", GAUGE, "1 while the side gets on, as /healthz says.")
CPU = Metric("process_cpu_seconds_total", COUNTER, "CPU time of the process.")
MEMORY = Metric("process_resident_memory_bytes", GAUGE, "Resident memory of the process.")
FILES = Metric("process_open_fds", GAUGE, "Open files and sockets of the process.")
STARTED = Metric("process_start_time_seconds", GAUGE, "When the process started, Unix time.")
CLOCK_SYNCHRONISED = Metric(
    "otgate_clock_synchronised",
    GAUGE,
    "1 where the system's clock is synchronised; absent where that cannot be told.",
)
CLOCK_ERROR = Metric(
    "otgate_clock_error_bound_seconds",
    GAUGE,
    "How far the clock is off at most, as the kernel has it; absent where it says nothing.",
)
CLOCK_STEPS = Metric("otgate_clock_steps_total", COUNTER, "Steps of the system's clock seen.")
CLOCK_DOUBTED = Metric(
    "otgate_clock_doubted",
    GAUGE,
    "1 while samples stamped by the gateway are marked clock_unsynchronised.",
)
CLOCK_STEPPED = Metric(
    "otgate_clock_last_step_seconds", GAUGE, "How far the last step went; below 0 is back."
)
AUDIT_RECORDS = Metric(
    "otgate_audit_records_total", COUNTER, "Records written, without checkpoints."
)
AUDIT_LOST = Metric(
    "otgate_audit_lost_records_total",
    COUNTER,
    "Records that found no room while the disk took none; the log says so in their place.",
)
AUDIT_FAILING = Metric(
    "otgate_audit_failing", GAUGE, "1 while what is recorded does not reach the disk."
)
AUDIT_FAILURES = Metric(
    "otgate_audit_failures_total", COUNTER, "Attempts to write the audit log that failed."
)
AUDIT_CHECKPOINT = Metric(
    "otgate_audit_checkpoint_timestamp_seconds",
    GAUGE,
    "When a checkpoint last came to the disk, Unix time; absent before the first.",
)
AUDIT_OLDEST = Metric(
    "otgate_audit_oldest_timestamp_seconds",
    GAUGE,
    "The day of the oldest records kept, Unix time.",
)
AUDIT_KEEP = Metric(
    "otgate_audit_keep_seconds", GAUGE, "How old records are to become before they may go."
)
AUDIT_SHORTENED = Metric(
    "otgate_audit_shortened_files_total",
    COUNTER,
    "Files of the audit log that went before they were as old as that.",
)
AUDIT_DISK = Metric("otgate_audit_disk_bytes", GAUGE, "What the audit log takes on disk.")
AUDIT_LIMIT = Metric("otgate_audit_disk_limit_bytes", GAUGE, "What the audit log may take on disk.")

SHARED = (
    BUILD, HEALTHY, CPU, MEMORY, FILES, STARTED,
    CLOCK_SYNCHRONISED, CLOCK_ERROR, CLOCK_STEPS, CLOCK_STEPPED, CLOCK_DOUBTED,
    AUDIT_RECORDS, AUDIT_LOST, AUDIT_FAILING, AUDIT_FAILURES, AUDIT_CHECKPOINT, AUDIT_OLDEST,
    AUDIT_KEEP, AUDIT_SHORTENED, AUDIT_DISK, AUDIT_LIMIT,
)  # fmt: skip

# Of the field side

DEVICES = Metric("otgate_devices", GAUGE, "Devices in each state.", ("state",))
DEVICE_STATE = Metric(
    "otgate_device_state", GAUGE, "1 for the state that a device is in.", ("device", "state")
)
DEVICE_LAST_GOOD = Metric(
    "otgate_device_last_good_timestamp_seconds",
    GAUGE,
    "When a device last gave a sample that is not invalid, Unix time; 0 is never.",
    ("device",),
)
SCANS = Metric("otgate_device_scans_total", COUNTER, "Scans asked of a device.", ("device",))
SCAN_FAILURES = Metric(
    "otgate_device_scan_failures_total", COUNTER, "Scans without an answer in time.", ("device",)
)
SCAN_OVERRUNS = Metric(
    "otgate_device_scan_overruns_total",
    COUNTER,
    "Slots skipped because an earlier one, or another device, took too long.",
    ("device",),
)
SCAN_TIME = Metric(
    "otgate_device_scan_seconds_total", COUNTER, "Time that answered scans took.", ("device",)
)
SCAN_DURATION = Metric(
    "otgate_scan_duration_seconds", HISTOGRAM, "How long answered scans took.", ("driver",)
)
EXCEPTIONS = Metric(
    "otgate_device_exceptions_total",
    COUNTER,
    "Answers of a device that refuse a request: Modbus exceptions, MMS errors.",
    ("device",),
)
MALFORMED = Metric(
    "otgate_device_malformed_frames_total",
    COUNTER,
    "Frames on a device's link that cannot be read, or that answer something else.",
    ("device",),
)
UNEXPECTED = Metric(
    "otgate_device_unexpected_frames_total",
    COUNTER,
    "Frames on a device's link that nobody waits for: late ones, and those of strangers.",
    ("device",),
)
FLAT = Metric(
    "otgate_device_flat_points",
    GAUGE,
    "Points that stay the same although they are to change; 1 where the whole device does.",
    ("device",),
)
RETRIES = Metric(
    "otgate_device_retries_total",
    COUNTER,
    "Requests on a device's link that were sent again within a scan.",
    ("device",),
)
DEVICE_PASSED = Metric(
    "otgate_device_samples_passed_total",
    COUNTER,
    "Samples of a device that were news.",
    ("device",),
)
DEVICE_SUPPRESSED = Metric(
    "otgate_device_samples_suppressed_total",
    COUNTER,
    "Polled samples of a device that were no news: what report by exception saves.",
    ("device",),
)
SAMPLES = Metric(
    "otgate_samples_total",
    COUNTER,
    "Samples that were news, by why they were sent and by validity.",
    ("origin", "validity"),
)
CONDUIT_OPEN = Metric(
    "otgate_conduit_open", GAUGE, "0 where nothing crosses: stopped, or the policy ended.",
    ("conduit",),
)  # fmt: skip
CONDUIT_POINTS = Metric(
    "otgate_conduit_points", GAUGE, "Points that may cross a conduit.", ("conduit",)
)
WITHHELD = Metric(
    "otgate_withheld_samples_total",
    COUNTER,
    "Samples that did not cross: denied, replaced within a minimum interval, or under test.",
    ("conduit", "reason"),
)
POLICY_ENDS = Metric(
    "otgate_policy_end_timestamp_seconds",
    GAUGE,
    "When the policy ends, Unix time; absent where it does not.",
)
SPOOL_AGE = Metric(
    "otgate_spool_write_age_seconds",
    HISTOGRAM,
    "From reading a sample to its write(2): the oldest sample of each write.",
    ("conduit",),
)
SPOOL_SYNC = Metric(
    "otgate_spool_sync_duration_seconds", HISTOGRAM, "How long syncs of a spool took.", ("conduit",)
)
SPOOL_SAMPLES = Metric(
    "otgate_spool_samples_total", COUNTER, "Samples given to a spool.", ("conduit", "lane")
)
SPOOL_DROPPED = Metric(
    "otgate_spool_dropped_samples_total",
    COUNTER,
    "Samples that found no room in a spool's buffer; a gap says so on the bus.",
    ("conduit", "lane"),
)
SPOOL_WRITTEN = Metric(
    "otgate_spool_written_bytes_total", COUNTER, "Bytes written to a spool.", ("conduit",)
)
SPOOL_SYNCS = Metric("otgate_spool_syncs_total", COUNTER, "Syncs of a spool.", ("conduit",))
SPOOL_FAULTS = Metric(
    "otgate_spool_faults_total", COUNTER, "Writes and syncs that failed.", ("conduit",)
)
SPOOL_FAILING = Metric(
    "otgate_spool_failing", GAUGE, "1 while what is given does not reach the disk.", ("conduit",)
)
SPOOL_DISK = Metric("otgate_spool_disk_bytes", GAUGE, "What a spool takes on disk.", ("conduit",))
SPOOL_LIMIT = Metric(
    "otgate_spool_disk_limit_bytes", GAUGE, "What a spool may take on disk.", ("conduit",)
)
SPOOL_SEGMENTS = Metric("otgate_spool_segments", GAUGE, "Segments of a spool.", ("conduit",))
SPOOL_BUFFERED = Metric(
    "otgate_spool_buffered_bytes", GAUGE, "What is not synced yet.", ("conduit",)
)
SPOOL_BUFFER = Metric(
    "otgate_spool_buffer_bytes", GAUGE, "What may be unsynced before samples drop.", ("conduit",)
)

FIELD = (
    *SHARED, DEVICES, DEVICE_STATE, DEVICE_LAST_GOOD, SCANS, SCAN_FAILURES, SCAN_OVERRUNS,
    SCAN_TIME, SCAN_DURATION, EXCEPTIONS, MALFORMED, UNEXPECTED, FLAT, RETRIES,
    DEVICE_PASSED, DEVICE_SUPPRESSED, SAMPLES,
    CONDUIT_OPEN, CONDUIT_POINTS, WITHHELD, POLICY_ENDS, SPOOL_AGE, SPOOL_SYNC, SPOOL_SAMPLES,
    SPOOL_DROPPED, SPOOL_WRITTEN, SPOOL_SYNCS, SPOOL_FAULTS, SPOOL_FAILING, SPOOL_DISK,
    SPOOL_LIMIT, SPOOL_SEGMENTS, SPOOL_BUFFERED, SPOOL_BUFFER,
)  # fmt: skip

# Of a bus side

CONNECTED = Metric("otgate_broker_connected", GAUGE, "1 while a broker is connected.", ("conduit",))
CONNECTIONS = Metric(
    "otgate_broker_connections_total", COUNTER, "Connections to brokers.", ("conduit",)
)
ATTEMPTS = Metric(
    "otgate_broker_attempts", GAUGE, "Attempts since the broker was lost.", ("conduit",)
)
MESSAGES = Metric(
    "otgate_published_messages_total", COUNTER, "Messages that a broker took.", ("conduit",)
)
PUBLISHED = Metric(
    "otgate_published_samples_total", COUNTER, "Samples that a broker took.", ("conduit",)
)
PUBLISHED_BYTES = Metric(
    "otgate_published_bytes_total",
    COUNTER,
    "Topics and payloads of the messages that a broker took, before TLS.",
    ("conduit",),
)
HOP = Metric(
    "otgate_hop_duration_seconds",
    HISTOGRAM,
    "From one stage to the next, per message that a broker took: received, spooled, published, "
    "acknowledged. Repeated values are left out.",
    ("conduit", "hop"),
)
GAPS = Metric(
    "otgate_gap_samples_total",
    COUNTER,
    "Samples announced as a gap, by why they are not there.",
    ("conduit", "reason"),
)
REFUSED = Metric(
    "otgate_refused_messages_total", COUNTER, "Messages set aside: a broker takes others.",
    ("conduit",),
)  # fmt: skip
UNASKED = Metric(
    "otgate_unasked_messages_total", COUNTER, "Messages that a broker sent us unasked.",
    ("conduit",),
)  # fmt: skip
IN_FLIGHT = Metric("otgate_in_flight_messages", GAUGE, "Sent and not acknowledged.", ("conduit",))
WINDOW = Metric("otgate_window_messages", GAUGE, "What may be in flight.", ("conduit",))
UNREAD = Metric(
    "otgate_spool_unread_bytes",
    GAUGE,
    "What of the spool is not read yet; up to a segment too much while no broker is connected.",
    ("conduit", "lane"),
)
LAG = Metric(
    "otgate_spool_lag_seconds",
    GAUGE,
    "How old the newest sample read in order is, where more is unread; 0 where nothing is.",
    ("conduit", "lane"),
)
BACKLOG = Metric(
    "otgate_backlog_samples",
    GAUGE,
    "Samples left behind while newer ones go first.",
    ("conduit", "lane"),
)
READABLE = Metric("otgate_spool_readable", GAUGE, "0 where the spool is not there.", ("conduit",))
CURSOR_SAVED = Metric(
    "otgate_cursor_saved", GAUGE, "0 while the cursor cannot be written.", ("conduit",)
)
FIELD_ALIVE = Metric(
    "otgate_field_side_alive", GAUGE, "1 while the field side gives signs of life.", ("conduit",)
)
FIELD_DEVICES = Metric(
    "otgate_field_devices",
    GAUGE,
    "Devices of the conduit in each state, as the field side last said.",
    ("conduit", "state"),
)
CERTIFICATE_ENDS = Metric(
    "otgate_certificate_end_timestamp_seconds",
    GAUGE,
    "When the first of some certificates ends, Unix time: the broker's, our own, the CA's.",
    ("conduit", "certificate"),
)

BUS = (
    *SHARED, CONNECTED, CONNECTIONS, ATTEMPTS, MESSAGES, PUBLISHED, PUBLISHED_BYTES, HOP, GAPS,
    REFUSED, UNASKED, IN_FLIGHT, WINDOW, UNREAD, LAG, BACKLOG, READABLE, CURSOR_SAVED, FIELD_ALIVE,
    FIELD_DEVICES, CERTIFICATE_ENDS,
)  # fmt: skip


def reference() -> Iterator[str]:
    """Yield the lines of docs/reference/metrics.md."""
    yield "# Metrics"
    yield ""
    yield "Generated by `otgate metrics --reference`."
    yield "How to reach them stands in [operating](../guide/operating.md)."
    sides = {"Both sides": SHARED, "The field side": FIELD, "A bus side": BUS}
    for title, metrics in sides.items():
        yield from (
            "",
            f"## {title}",
            "| metric | kind | labels | what it says |",
            "|---|---|---|---|",
        )
        for metric in metrics:
            if metrics is SHARED or metric not in SHARED:
                labels = ", ".join(f"`{label}`" for label in metric.labels)
                yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
