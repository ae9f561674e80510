"""DBSCAN: clusters as connected regions of dense points."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from sklearn.neighbors import NearestNeighbors

from promo_repro.claims import formula
from promo_repro.profiles.checks import as_table, at_most

NOISE = -1


@formula("eq-02-core")
def core_points(neighbours: sparse.csr_array, min_points: int) -> np.ndarray:
    """Rows with at least `min_points` points, itself included, within the radius: (n,) bool.

    `neighbours` (n, n) holds an entry for every pair of rows within the radius.
    """
    return np.diff(neighbours.indptr) >= min_points


@formula("D5-P24", "eq-02-dbscan")
def dbscan(table, radius: float, min_points: int) -> np.ndarray:
    """Cluster labels (n,), from 0; noise is -1.

    Core points within `radius` of each other are connected; each connected component is a
    cluster. A border point joins the cluster of its nearest core point, if one is within the
    radius. Raises `ValueError` for NaN, a radius that is not positive, and `min_points` outside
    1 to n.
    """
    x = as_table("table", table)
    if not radius > 0:
        raise ValueError(f"radius is {radius}; it must be positive")
    at_most("min_points", min_points, len(x), "rows")
    graph = NearestNeighbors(radius=radius).fit(x).radius_neighbors_graph(x, mode="connectivity")
    core = core_points(graph, min_points)
    labels = np.full(len(x), NOISE)
    if not core.any():
        return labels
    _, labels[core] = connected_components(graph[core][:, core])
    distance, nearest = KDTree(x[core]).query(x[~core])
    reached = distance <= radius
    labels[np.flatnonzero(~core)[reached]] = labels[core][nearest[reached]]
    return labels


def neighbour_distances(table, k: int) -> np.ndarray:
    """Distance of each row to its k-th nearest other row, ascending, (n,)."""
    x = as_table("table", table)
    at_most("k", k, len(x) - 1, "other rows")
    return np.sort(NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)[0][:, k])


@formula("eq-02-sizeable")
def sizeable_clusters(labels, share: float) -> int:
    """Number of clusters that hold at least `share` of all points; 0 if most points are noise.

    A labelling that leaves more than half of the points out is no profile of them.
    """
    labels = np.asarray(labels)
    inside = labels[labels != NOISE]
    if 2 * len(inside) < len(labels):
        return 0
    return int((np.bincount(inside) >= share * len(labels)).sum())


def cluster_counts(table, min_points: int = 10, share: float = 0.05, radii: int = 15):
    """Radii, sizeable clusters and noise shares over a grid of radii, each (radii,).

    The radii are quantiles of the distances to the `min_points`-th neighbour, from the 2nd to
    the 98th percentile: below, nearly all is noise, above, nearly all is one cluster.
    """
    reach = neighbour_distances(table, min_points)
    grid = np.quantile(reach, np.linspace(0.02, 0.98, radii))
    found = [dbscan(table, radius, min_points) for radius in grid]
    counts = np.array([sizeable_clusters(labels, share) for labels in found])
    return grid, counts, np.array([(labels == NOISE).mean() for labels in found])


def best_radius(table, min_points: int = 10, share: float = 0.05) -> tuple[float, int, float]:
    """Radius of the grid with the most sizeable clusters (the smallest such), clusters, noise."""
    grid, counts, noise = cluster_counts(table, min_points, share)
    best = int(counts.argmax())
    return float(grid[best]), int(counts[best]), float(noise[best])


def most_clusters(table, min_points: int = 10, share: float = 0.05) -> int:
    """Largest number of sizeable clusters over the grid of `cluster_counts`."""
    return best_radius(table, min_points, share)[1]
