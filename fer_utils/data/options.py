"""The options by which a command line names its data set."""

import argparse

from .dataset import FerDataset, load_dataset


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, ``--label-order`` and ``--on-error``; `load_as_told` reads them."""
    add = parser.add_argument
    add("--data", required=True, help="fer2013.csv, a folder, or a zip of either")
    add(
        "--label-order",
        nargs="+",
        metavar="EMOTION",
        help="the data set's emotions, in the order of the numbers that stand for them (default: "
        "FER2013's)",
    )
    add("--on-error", choices=("raise", "skip"), default="raise", help="if a picture is bad")


def load_as_told(args: argparse.Namespace) -> FerDataset:
    """Load the data set that these options name, with ``--opinions`` where there are such."""
    return load_dataset(
        args.data,
        opinions=getattr(args, "opinions", None),
        label_order=args.label_order,
        on_error=args.on_error,
    )
