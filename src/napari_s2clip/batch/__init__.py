"""Many images: the same method over files and folders, on one computer or several.

A `Job` says what is done with every image, `find_inputs` which images there are, and
`run_job` does it into a folder whose journal lets a job that was stopped go on.
"""

from .cluster import Cluster, ClusterError
from .inputs import Input, find_inputs, read_list
from .job import Job
from .journal import JournalError
from .report import BatchProgress
from .run import Outcome, run_job
from .summary import (
    FolderSummary,
    facts_of,
    refresh_summary,
    summarise,
    with_summary,
    write_summary,
)

__all__ = [
    "BatchProgress",
    "Cluster",
    "ClusterError",
    "FolderSummary",
    "Input",
    "Job",
    "JournalError",
    "Outcome",
    "facts_of",
    "find_inputs",
    "read_list",
    "refresh_summary",
    "run_job",
    "summarise",
    "with_summary",
    "write_summary",
]
