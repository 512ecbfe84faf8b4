"""The errors a user can mend. Each message says what is wrong, why it matters, and what to do."""


class AdSNNError(Exception):
    """Base of every error that the user's input caused; commands print it without a traceback and exit with 2."""


class ParameterError(AdSNNError, ValueError):
    """A neuron or simulation parameter is outside its range."""


class NetworkError(AdSNNError, ValueError):
    """A network description is inconsistent (shapes, unknown inputs, non-finite weights)."""


class ConversionError(AdSNNError):
    """A Keras model cannot be converted exactly."""


class ConfigError(AdSNNError):
    """A configuration file has an unknown key, a value out of range, or names a missing file."""


class DataError(AdSNNError):
    """A data set is missing, unreadable, or does not fit the model."""


class NoMistakesError(DataError):
    """A network classifies all images correctly, so that there are no mistakes to estimate a threshold from."""


class OutputError(AdSNNError):
    """A result cannot be written (full or read-only folder) or read back (damaged file)."""


class TrainingError(AdSNNError):
    """Training cannot go on (the loss is no longer a number)."""


class WorkerError(AdSNNError):
    """Workers or a scheduler failed, so that a study has points without a result."""
