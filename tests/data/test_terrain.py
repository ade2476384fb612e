import pickle

import networkx as nx
import pytest
import torch

from algonets.data import TerrainMaps


def test_maps():
    data = TerrainMaps(size=6, side=5, tile=6)
    image, costs, path = data[3]
    assert (image.shape, costs.shape, path.shape) == ((3, 30, 30), (5, 5), (5, 5))
    assert image.dtype == costs.dtype == path.dtype == torch.float32 and data.images.dtype == torch.uint8
    assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.05
    assert torch.equal(data[-1][0], data.images[5] / 255) and pickle.loads(pickle.dumps(data))[3][2].equal(path)
    assert len(data) == 6 and "6 maps of 5 x 5" in repr(data)


def test_terrain():
    data = TerrainMaps(size=200)
    kinds, counts = data.costs.unique(return_counts=True)
    assert kinds.tolist() == pytest.approx([0.8, 1.2, 5.3, 7.7, 9.2]) and (counts > 0.08 * counts.sum()).all()
    together = (data.kinds[:, 1:] == data.kinds[:, :-1]).float().mean()  # regions, not salt and pepper
    assert 0.35 < together < 0.85


def test_paths_are_cheapest():
    data = TerrainMaps(size=4, side=6)
    for _, costs, path in (data[i] for i in range(4)):
        graph = nx.DiGraph()
        for y, x in (cells := [(y, x) for y in range(6) for x in range(6)]):
            near = ((y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)
            graph.add_edges_from(((y, x), c, {"weight": float(costs[c])}) for c in near if c in cells)
        truth = nx.dijkstra_path_length(graph, (0, 0), (5, 5)) + float(costs[0, 0])
        assert float((costs * path).sum()) == pytest.approx(truth, rel=1e-6)


def test_pictures_tell_the_terrain():
    """Mean colours of tiles separate the kinds well but not perfectly."""
    data = TerrainMaps(size=100)
    colours = data.images.float().unfold(2, 8, 8).unfold(3, 8, 8).mean((-2, -1)).permute(0, 2, 3, 1).reshape(-1, 3)
    kinds = data.kinds.flatten().long()
    means = torch.stack([colours[kinds == k].mean(0) for k in range(5)])
    assert 0.6 < (torch.cdist(colours, means).argmin(1) == kinds).float().mean() < 0.97


def test_seeds_and_parts():
    assert torch.equal(TerrainMaps(size=2).images, TerrainMaps(size=2).images)
    others = [TerrainMaps(False, 2), TerrainMaps(size=2, seed=1), TerrainMaps(False, 2, seed=1)]
    assert all(not torch.equal(TerrainMaps(size=2).costs, other.costs) for other in others)
    state = torch.get_rng_state()
    TerrainMaps(size=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_bad_input():
    with pytest.raises(TypeError, match="True or False"):
        TerrainMaps("test")  # type: ignore[arg-type]
    for wrong in ({"size": 0}, {"side": 1}, {"tile": 2}, {"noise": 2}):
        with pytest.raises(ValueError, match="must be"):
            TerrainMaps(**{"size": 1, **wrong})
    with pytest.raises(IndexError):
        TerrainMaps(size=1)[1]
