"""The bus side: spool frames become MQTT messages, and messages are read and accounted for."""
