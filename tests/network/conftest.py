"""The cache keeps a few networks: the many of these tests must not cost the others theirs."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def cache_of_their_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
