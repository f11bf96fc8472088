"""Write scikit-learn's iris flowers as a CSV file with a text column and some gaps, to try the command line on.

Run: python examples/make_flowers.py flowers.csv
"""

import sys

import numpy as np
from sklearn.datasets import load_iris

from chainrule.tables import write_table

iris = load_iris()
random = np.random.default_rng(0)
names = [name.removesuffix(" (cm)").replace(" ", "_") for name in iris.feature_names]
table = {name: iris.data[:, k] for k, name in enumerate(names)}
table["sepal_width"] = np.where(random.random(150) > 0.1, table["sepal_width"], np.nan)
table["garden"] = random.choice(["north", "south", "east"], 150)
table["species"] = np.array([str(iris.target_names[label]) for label in iris.target])
write_table(table, sys.argv[1])
print(f"{sys.argv[1]}: 150 rows, columns {', '.join(table)}")
