"""The SDK's side: streams, messages, when a STATE is due, signals.

This is the only package that touches private names of the SDK:

| name | why |
| --- | --- |
| `Stream._sync_records` | the only method of a sync that may be overridden |
| `Stream._write_schema_message` | writes one SCHEMA per stream, stream maps included |
| `Tap._handle_termination` | the SDK's writes STATE from inside the signal handler, which tears lines |
| `Tap._env_var_config` | the SDK's leaves numbers texts, and does not name a setting that it cannot read |
| `helpers._catalog.pop_deselected_record_properties` | selection of fields, as the SDK does it |
| `helpers._batch.SDKBatchMessage` | the message of the SDK's own BATCH files |
"""
