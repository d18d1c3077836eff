"""The quality of a set of conversations: figures with their meanings, next to those of a reference."""

from mojo_toolbox.generation.quality.meanings import Figure
from mojo_toolbox.generation.quality.quality_report import QualityReport, quality
from mojo_toolbox.generation.quality.two_samples import Telling, TwoSampleTest

__all__ = ["Figure", "QualityReport", "Telling", "TwoSampleTest", "quality"]
