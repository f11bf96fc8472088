"""Write scikit-learn's iris flowers as a CSV file with a text column and some gaps, to try the command line on.

Run: python examples/make_flowers.py flowers.csv
"""

import sys

import numpy as np
import polars as pl
from sklearn.datasets import load_iris

iris = load_iris()
random = np.random.default_rng(0)
names = [name.removesuffix(" (cm)").replace(" ", "_") for name in iris.feature_names]
table = pl.DataFrame({name: iris.data[:, k] for k, name in enumerate(names)}).with_columns(
    pl.when(pl.Series(random.random(150) > 0.1)).then(pl.col("sepal_width")).alias("sepal_width"),
    garden=pl.Series(random.choice(["north", "south", "east"], 150)),
    species=pl.Series([str(iris.target_names[label]) for label in iris.target]),
)
table.write_csv(sys.argv[1])
print(f"{sys.argv[1]}: {table.height} rows, columns {', '.join(table.columns)}")
