"""The run folder: weights, config, tokenizer, checkpoint and metrics; written so that a kill leaves the last version.

Nothing is pickled: loading a folder can run no code.
"""

from ostinato.checkpoint.resume_point import ResumePoint
from ostinato.checkpoint.run_folder import RunFolder

__all__ = ["ResumePoint", "RunFolder"]
