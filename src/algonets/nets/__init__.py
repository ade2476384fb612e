"""Reference networks that the algorithms are combined with; one architecture a file, each in plain PyTorch.

Every network says which inputs it takes, refuses others with a sentence, shows itself as the call that builds it, and
is saved and loaded by :func:`save_net` and :func:`load_net`. :mod:`algonets.nets.features` looks into any network;
:mod:`algonets.nets.search` is tree search with a network inside.
"""

from algonets.nets import features, search
from algonets.nets.autoencoder import Autoencoder
from algonets.nets.conv_autoencoder import ConvAutoencoder
from algonets.nets.conv_lstm import ConvLSTM
from algonets.nets.dcgan import DCGAN
from algonets.nets.digit_ranker import DigitRanker
from algonets.nets.dqn import DQN
from algonets.nets.filter_bank import FilterBank
from algonets.nets.gru import GRUCell
from algonets.nets.lenet import LeNet
from algonets.nets.letter_scorer import LetterScorer
from algonets.nets.lstm import LSTMCell
from algonets.nets.mlp import MLP
from algonets.nets.net import Net, load_net, save_net
from algonets.nets.path_resnet import PathResNet
from algonets.nets.perceptron import Perceptron
from algonets.nets.policy_value_net import PolicyValueNet
from algonets.nets.recurrent import Recurrent
from algonets.nets.resnet import ResNet
from algonets.nets.rnn import RNNCell
from algonets.nets.segnet import SegNet
from algonets.nets.small_cnn import SmallCnn
from algonets.nets.unet import UNet
from algonets.nets.up_conv_net import UpConvNet
from algonets.nets.variational_autoencoder import VariationalAutoencoder
from algonets.nets.vgg import VGG
from algonets.nets.vqa_net import VqaNet

__all__ = [
    "DCGAN",
    "DQN",
    "MLP",
    "VGG",
    "Autoencoder",
    "ConvAutoencoder",
    "ConvLSTM",
    "DigitRanker",
    "FilterBank",
    "GRUCell",
    "LSTMCell",
    "LeNet",
    "LetterScorer",
    "Net",
    "PathResNet",
    "Perceptron",
    "PolicyValueNet",
    "RNNCell",
    "Recurrent",
    "ResNet",
    "SegNet",
    "SmallCnn",
    "UNet",
    "UpConvNet",
    "VariationalAutoencoder",
    "VqaNet",
    "features",
    "load_net",
    "save_net",
    "search",
]
