"""Records the bytes of TensorBoard's own event writer, for runtime/src/train/events/tensor_board.rs.

Run: python tests/peers/tensor_board.py  (tensorboard 2.x); it writes tensor_board.json beside itself.
"""

import io
import json
import pathlib

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def scalars(time, step, values):
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values]
    return event_pb2.Event(wall_time=time, step=step, summary=summary_pb2.Summary(value=values))


start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
events = [
    event_pb2.Event(wall_time=1234.5, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1235.0, step=301, session_log=start),
    scalars(1236.25, 7, [("loss/training", 0.1), ("rate", -2.5e-8)]),
    scalars(1e9, 3_000_000_000, [("größe", 3.4028234663852886e38)]),
]
recorded = []
for event in events:
    buffer = io.BytesIO()
    buffer.close, close = lambda: None, buffer.close
    RecordWriter(buffer).write(event.SerializeToString())
    recorded.append(buffer.getvalue().hex())
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(recorded, indent=1) + "\n")
