import pytest

import algonets as an


@pytest.fixture(params=["torch", "native"])
def any_backend(request):
    """Run a test on the reference and on the native kernels."""
    if request.param == "native" and not an.native_status()[0]:
        pytest.skip("the native kernels are not built here")
    with an.backend(request.param):
        yield request.param
