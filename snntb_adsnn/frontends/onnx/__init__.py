"""ONNX models: files, and ``onnx.ModelProto`` in memory. Channels-first images become channels-last ones, exactly."""
