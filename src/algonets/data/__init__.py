"""Datasets: words as letter sequences, digits, numbers made of digits, photographs, and stories.

:class:`SyntheticWords` and :class:`TerrainMaps` are generated on the spot, :class:`Digits` comes with scikit-learn,
and :class:`NumberSets` are glued from digits. The others read their original files from ``data_dir``, else
``$ALGONETS_DATA``, else the user's cache, and download what is missing from its public address.
"""

from algonets.data.adult import Adult
from algonets.data.aerial import AerialBuildings
from algonets.data.babi import Babi, BabiQuestion
from algonets.data.breast_cancer import BreastCancer
from algonets.data.chairs import Chairs
from algonets.data.cifar10 import Cifar10
from algonets.data.digits import Digits
from algonets.data.gene_expression import GeneExpression
from algonets.data.idx import read_idx
from algonets.data.location import cache_dir, locate
from algonets.data.meshes import Meshes, MeshViews, soft_ras_views
from algonets.data.mnist import Mnist
from algonets.data.monks import Monks
from algonets.data.numbers import NumberBatch, NumberSets
from algonets.data.ocr_letters import OcrLetters
from algonets.data.remote import DatasetCorrupt, DatasetUnavailable, RemoteFile, download
from algonets.data.scenes import SceneBatch, Scenes
from algonets.data.shapes import Shapes
from algonets.data.synthetic_words import SyntheticWords
from algonets.data.terrain import TerrainMaps
from algonets.data.words import AbstractWordDataset, WordBatch, WordSample, collate_words

__all__ = [
    "AbstractWordDataset",
    "Adult",
    "AerialBuildings",
    "Babi",
    "BabiQuestion",
    "BreastCancer",
    "Chairs",
    "Cifar10",
    "DatasetCorrupt",
    "DatasetUnavailable",
    "Digits",
    "GeneExpression",
    "MeshViews",
    "Meshes",
    "Mnist",
    "Monks",
    "NumberBatch",
    "NumberSets",
    "OcrLetters",
    "RemoteFile",
    "SceneBatch",
    "Scenes",
    "Shapes",
    "SyntheticWords",
    "TerrainMaps",
    "WordBatch",
    "WordSample",
    "cache_dir",
    "collate_words",
    "download",
    "locate",
    "read_idx",
    "soft_ras_views",
]
