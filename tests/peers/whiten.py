"""Records what scikit-learn and NumPy make of two small data sets, for runtime/tests/data_normalization.rs.

Run: python tests/peers/whiten.py  (scikit-learn 1.x, NumPy 2.x); it writes whiten.json beside itself.

scikit-learn's StandardScaler divides by n as we do; its PCA divides the covariance by n - 1, so what it
whitens is multiplied by sqrt(n / (n - 1)). It has no ZCA: that is UVᵀ of the centred data's singular value
decomposition, times sqrt(n), which never forms a covariance; with an epsilon it is worked out from numpy's eigh.
"""

import json
import pathlib

import numpy
import sklearn
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

random = numpy.random.default_rng(3)


def rounded(values):
    return numpy.round(values, 3).astype(numpy.float32).astype(numpy.float64)


def shown(values):
    return [float(f"{number:.9g}") for number in numpy.asarray(values).flatten()]


mixing = random.normal(size=(6, 6))
train = rounded(random.normal(size=(40, 6)) @ mixing + [0, 5, -3, 100, 0.1, 2])
test = rounded(random.normal(size=(5, 6)) @ mixing + [0, 5, -3, 100, 0.1, 2])
constant = train.copy()
constant[:, 2] = 0.1  # StandardScaler leaves a feature that never changes at 0.
constant_test = test.copy()
constant_test[:, 2] = 0.1
constant, constant_test = constant.astype(numpy.float32), constant_test.astype(numpy.float32)

n = len(train)
centre = train.mean(0)
values, vectors = numpy.linalg.eigh(numpy.cov(train.T, bias=True))
u, s, vt = numpy.linalg.svd(train - centre, full_matrices=False)


def zca(epsilon):
    return shown((test - centre) @ vectors @ numpy.diag((values + epsilon) ** -0.5) @ vectors.T)


record = {
    "scikit-learn": sklearn.__version__,
    "numpy": numpy.__version__,
    "train": shown(train),
    "test": shown(test),
    "standardize": shown(StandardScaler().fit(train).transform(test)),
    "constant": {
        "train": shown(constant),
        "test": shown(constant_test),
        "standardize": shown(StandardScaler().fit(constant).transform(constant_test)),
    },
    "whole": shown((test - train.mean()) / train.std()),
    "pca": shown(PCA(4, whiten=True).fit(train).transform(test) * (n / (n - 1)) ** 0.5),
    "zca_of_train": shown(u @ vt * n**0.5),
    "zca": {str(epsilon): zca(epsilon) for epsilon in (0.0, 0.1, 10.0)},
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(record) + "\n")
