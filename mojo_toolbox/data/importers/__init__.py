"""Other people's data in the project's format: one lazy iterator of conversations for each kind of source."""

from mojo_toolbox.data.importers.chats import import_chats
from mojo_toolbox.data.importers.clinc import import_clinc
from mojo_toolbox.data.importers.hugging_face import import_dataset
from mojo_toolbox.data.importers.sgd import import_sgd
from mojo_toolbox.data.importers.summary import ImportSummary
from mojo_toolbox.data.importers.table import import_csv
from mojo_toolbox.data.importers.task_lists import read_tasks

__all__ = [
    "ImportSummary",
    "import_chats",
    "import_clinc",
    "import_csv",
    "import_dataset",
    "import_sgd",
    "read_tasks",
]
