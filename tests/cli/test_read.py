"""``algonets read``: the readings of a picture or an npz, and files that are not what they should be."""

import re

import numpy as np
import pytest
import torch

from algonets.cli.read import letters_of
from algonets.experiments import _training

Image = pytest.importorskip("PIL.Image")


def readings(out: str) -> list[tuple[str, float]]:
    """Parse what was printed: words with their probabilities in percent."""
    lines = [re.fullmatch(r"([a-z]+) +(\d+\.\d\d) %(   <- the reading)?", line) for line in out.splitlines()]
    assert all(lines) and [bool(line[3]) for line in lines] == [k == 0 for k in range(len(lines))], out
    return [(line[1], float(line[2])) for line in lines]


def check(outcome, letters: int, best: int) -> list[tuple[str, float]]:
    assert outcome.status == 0, outcome.err
    found = readings(outcome.out)
    words, percents = [word for word, _ in found], [percent for _, percent in found]
    assert len(found) == best and len(set(words)) == best and {len(word) for word in words} == {letters}
    assert percents == sorted(percents, reverse=True) and sum(percents) <= 100 + 0.005 * best
    return found


@pytest.fixture
def strip(trained) -> np.ndarray:
    """The picture that the run left, as dark on light."""
    with Image.open(trained / "example.png") as picture:
        return np.asarray(picture)


@pytest.fixture
def save(tmp_path):
    def write(pixels: np.ndarray, name: str = "word.png"):
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def save_npz(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "word.npz", **arrays)
        return tmp_path / "word.npz"

    return write


def test_picture(algonets, trained, checkpoint, strip):
    letters = strip.shape[1] // 16
    check(algonets("read", trained / "example.png", "--checkpoint", checkpoint), letters, 5)
    check(algonets("read", trained / "example.png", "--checkpoint", checkpoint, "--best", 1), letters, 1)


def test_npz_equals_picture(algonets, trained, checkpoint, strip, save_npz):
    letters = 1 - strip.reshape(16, -1, 16).transpose(1, 0, 2).astype(np.float32) / 255
    from_picture = algonets("read", trained / "example.png", "--checkpoint", checkpoint)
    for images in (letters, letters[:, None], letters.astype(np.float64)):
        assert algonets("read", save_npz(images=images), "--checkpoint", checkpoint) == from_picture


def test_light_on_dark_and_colour(algonets, checkpoint, strip, save):
    wanted = algonets("read", save(strip), "--checkpoint", checkpoint)
    for pixels in (255 - strip, np.stack([strip] * 3, -1)):
        assert algonets("read", save(pixels), "--checkpoint", checkpoint) == wanted


def test_larger_picture(algonets, checkpoint, strip, save):
    larger = save(strip.repeat(3, 0).repeat(3, 1))
    check(algonets("read", larger, "--checkpoint", checkpoint), strip.shape[1] // 16, 5)


@pytest.mark.parametrize("letters", [1, 3])
def test_number_of_letters(algonets, checkpoint, strip, save, letters):
    check(algonets("read", save(strip), "--checkpoint", checkpoint, "--letters", letters), letters, 5)


def test_all_words_of_one_letter_have_probability_one(algonets, checkpoint, save_npz):
    """There are 26, however many are asked for."""
    image = np.random.default_rng(0).random((1, 16, 16))
    found = check(algonets("read", save_npz(images=image), "--checkpoint", checkpoint, "--best", 50), 1, 26)
    assert sum(percent for _, percent in found) == pytest.approx(100, abs=0.2)


def test_the_probabilities_are_those_of_the_model(algonets, trained, checkpoint):
    """Against the softmax over all words of two letters, scored one by one."""
    from algonets.experiments.words import load_reader

    reader = load_reader(checkpoint)
    images = letters_of(trained / "example.png", reader.scorer.image_shape, 2)
    with torch.inference_mode():
        chain = reader.chain(images[None], torch.tensor([2]))
        pairs = torch.cartesian_prod(torch.arange(26), torch.arange(26))
        p = torch.stack([chain.score(pair[None])[0] for pair in pairs]).double().softmax(0)
    order = p.argsort(descending=True)[:5]
    outcome = algonets("read", trained / "example.png", "--checkpoint", checkpoint, "--letters", 2)
    for (word, percent), k in zip(check(outcome, 2, 5), order, strict=True):
        assert word == reader.spell(pairs[k]) and percent == pytest.approx(100 * p[k].item(), abs=0.006)


# ---- what cannot be read -------------------------------------------------------------------------------------


def test_missing_checkpoint(algonets, trained, tmp_path):
    for path in (tmp_path / "none.ckpt", tmp_path):
        outcome = algonets("read", trained / "example.png", "--checkpoint", path)
        outcome.check_error(1, "--checkpoint", str(path), "algonets train words")


def test_truncated_checkpoint(algonets, trained, checkpoint, tmp_path):
    content = checkpoint.read_bytes()
    for keep in (0, 100, len(content) // 2, len(content) - 10):
        path = tmp_path / "cut.ckpt"
        path.write_bytes(content[:keep])
        algonets("read", trained / "example.png", "--checkpoint", path).check_error(
            1, "--checkpoint", str(path), "cut off"
        )


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], {"hyper_parameters": {"way": "x"}}])
def test_checkpoint_of_another_program(algonets, trained, tmp_path, content):
    path = tmp_path / "other.ckpt"
    torch.save(content, path)
    algonets("read", trained / "example.png", "--checkpoint", path).check_error(1, str(path), "another program")


def test_missing_image(algonets, checkpoint, tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        algonets("read", path, "--checkpoint", checkpoint).check_error(1, "must be a file", str(path))


def test_text_named_png(algonets, checkpoint, tmp_path):
    path = tmp_path / "word.png"
    path.write_text("not a picture")
    algonets("read", path, "--checkpoint", checkpoint).check_error(1, str(path), "picture")


def test_truncated_picture(algonets, trained, checkpoint, tmp_path):
    path = tmp_path / "cut.png"
    path.write_bytes((trained / "example.png").read_bytes()[:60])
    algonets("read", path, "--checkpoint", checkpoint).check_error(1, str(path), "picture")


def test_too_narrow_picture(algonets, checkpoint, strip, save):
    outcome = algonets("read", save(strip[:, :4]), "--checkpoint", checkpoint, "--letters", 5)
    outcome.check_error(1, "4 pixels wide", "5 letters", "--letters")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 half"])
def test_broken_npz(algonets, checkpoint, tmp_path, content):
    path = tmp_path / "word.npz"
    path.write_bytes(content)
    algonets("read", path, "--checkpoint", checkpoint).check_error(1, str(path), "npz", "`images`")


GOOD = np.zeros((3, 16, 16), np.float32)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": GOOD}, ("array `images`",)),
        ({"images": np.array([None, 1])}, ("array `images`",)),
        ({"images": np.array("text")}, ("array `images`",)),
        ({"images": GOOD[0]}, ("(T, 16, 16)", "(16, 16)")),
        ({"images": GOOD[:, :, :8]}, ("(T, 16, 16)", "(3, 16, 8)")),
        ({"images": GOOD[:0]}, ("T >= 1", "(0, 16, 16)")),
        ({"images": np.zeros((3, 2, 16, 16))}, ("(T, 16, 16)", "(3, 2, 16, 16)")),
        ({"images": GOOD + 1.5}, ("[0, 1]", "1.5")),
        ({"images": GOOD - 0.5}, ("[0, 1]", "-0.5")),
        ({"images": GOOD + np.nan}, ("[0, 1]", "nan")),
        ({"images": np.full((1, 16, 16), 255, np.uint8)}, ("[0, 1]", "255")),
    ],
)
def test_bad_npz(algonets, checkpoint, save_npz, arrays, words):
    algonets("read", save_npz(**arrays), "--checkpoint", checkpoint).check_error(1, *words)


@pytest.mark.parametrize(("option", "value"), [("--best", 0), ("--best", -1), ("--letters", 0), ("--letters", -2)])
def test_counts_must_be_positive(algonets, trained, checkpoint, option, value):
    outcome = algonets("read", trained / "example.png", "--checkpoint", checkpoint, option, value)
    outcome.check_error(1, option, "at least 1", f"got {value}")


def test_letters_must_be_positive_for_npz_too(algonets, checkpoint, save_npz):
    outcome = algonets("read", save_npz(images=GOOD), "--checkpoint", checkpoint, "--letters", 0)
    outcome.check_error(1, "--letters", "at least 1")


def test_letters_of_in_python(trained, strip):
    """Ink is 1, paper 0, letter after letter."""
    images = letters_of(trained / "example.png", (1, 16, 16))
    wanted = [1 - torch.from_numpy(strip[:, k : k + 16].astype(np.float32)) / 255 for k in range(0, strip.shape[1], 16)]
    torch.testing.assert_close(images, torch.stack(wanted).unsqueeze(1))
    assert images.mean() < 0.5
    with pytest.raises(_training.RunError, match="must be a file"):
        letters_of(trained / "none.png", (1, 16, 16))
