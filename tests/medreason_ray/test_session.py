"""How a Ray that the project starts or joins is set."""

import pytest
import ray

from medreason_ray.session import cluster_resources, share_ahead

GB = 2**30


@pytest.mark.parametrize(
    ("cpus", "store", "bound"),
    [
        (2, 8 * GB, GB / 2),
        (64, 100 * GB, 8 * GB),
        (1000, 1600 * GB, 125 * GB),
        (2, 0.2 * GB, 0.1 * GB),
        (64, 4 * GB, 2 * GB),
    ],
)
def test_a_pass_reads_ahead_by_the_cpus_and_never_into_more_than_half_of_the_store(cpus, store, bound):
    share = share_ahead({"CPU": cpus, "object_store_memory": store})
    assert share * store == pytest.approx(bound)


def test_the_running_one_is_set_so(ray_cluster):
    context = ray.data.DataContext.get_current()
    assert context.override_object_store_memory_limit_fraction == share_ahead(cluster_resources())
    assert 0 < context.override_object_store_memory_limit_fraction <= 0.5
