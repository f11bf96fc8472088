"""Write a table as offices do: semicolons, decimal commas, units, a title, Windows' letters, a date that never was.

python examples/make_flats.py flats.csv
"""

from __future__ import annotations

import random
import sys

HEADER = "id;size;built;rent;town;balcony;plz;source"
GERMAN = str.maketrans(",.", ".,")


def line(number: int, draw: random.Random) -> str:
    """Return one flat as a line of the file."""
    size, town = draw.uniform(30, 140), draw.choice(["Köln", "Bonn", "Ulm"])
    built = f"{draw.randint(1, 28):02d}.{draw.randint(1, 12):02d}.{draw.randint(1950, 2020)}"
    rent = 11 * size + 300 * (town == "Köln") + draw.gauss(0, 40)
    cells = [
        str(number),
        f"{size:.1f} m²".translate(GERMAN),
        "00.00.0000" if number == 8 else built,
        f"{rent:,.2f} €".translate(GERMAN),
        "NA" if number % 40 == 3 else town,
        draw.choice(["ja", "nein"]),
        draw.choice(["50667", "53111", "89073", "01067"]),
        "Anzeige",
    ]
    return ";".join(cells)


def main(path: str) -> None:
    """Write the file."""
    draw = random.Random(1)
    lines = ["Wohnungen, Stand Mai", "", HEADER, *(line(number, draw) for number in range(1, 301))]
    with open(path, "w", encoding="cp1252") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{path}: 300 flats, {HEADER.count(';') + 1} columns")


if __name__ == "__main__":
    main(sys.argv[1])
