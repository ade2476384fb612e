"""Datasets: words as letter sequences, and digits.

:class:`SyntheticWords` is generated on the spot. The others read their original files from ``data_dir``, else
``$ALGONETS_DATA``, else the user's cache, and download what is missing from its public address.
"""

from algonets.data.idx import read_idx
from algonets.data.location import cache_dir, locate
from algonets.data.mnist import Mnist
from algonets.data.ocr_letters import OcrLetters
from algonets.data.remote import DatasetCorrupt, DatasetUnavailable, RemoteFile, download
from algonets.data.synthetic_words import SyntheticWords
from algonets.data.words import AbstractWordDataset, WordBatch, WordSample, collate_words

__all__ = [
    "AbstractWordDataset",
    "DatasetCorrupt",
    "DatasetUnavailable",
    "Mnist",
    "OcrLetters",
    "RemoteFile",
    "SyntheticWords",
    "WordBatch",
    "WordSample",
    "cache_dir",
    "collate_words",
    "download",
    "locate",
    "read_idx",
]
