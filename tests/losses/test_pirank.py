"""What sets PiRank apart from NeuralNDCG, whose tests cover both."""

import pytest
import torch

from algonets.distributions import Cauchy
from algonets.losses import NeuralNDCG, PiRank
from algonets.sort import Bitonic, Hard, LapSum, NeuralSort, soft_argsort


@pytest.mark.parametrize("method", [LapSum(0.3), Bitonic(Cauchy(0.3))], ids=repr)
def test_it_equals_neural_ndcg_where_columns_sum_to_one(method):
    generator = torch.Generator().manual_seed(0)
    scores, relevance = torch.randn(4, 9, generator=generator), torch.randint(4, (4, 9), generator=generator)
    torch.testing.assert_close(PiRank(method, 5)(scores, relevance), NeuralNDCG(method, 5)(scores, relevance))


def test_an_item_may_count_twice_where_they_do_not():
    """A minimum of the unscaled loss that training finds: columns of 1.23 hold the most relevant items."""
    scores = torch.tensor([[0.9820, 0.5447, -0.1455, 0.5271, -3.0017, -1.7949]])
    relevance = torch.tensor([[0, 3, 1, 2, 0, 1]])
    assert soft_argsort(scores, NeuralSort(1.0)).sum(-2).max() > 1.2
    exact = PiRank(Hard())(scores, relevance)
    assert PiRank(NeuralSort(1.0))(scores, relevance) < 0.5 * exact
    assert NeuralNDCG(NeuralSort(1.0))(scores, relevance) > 0.8 * exact
