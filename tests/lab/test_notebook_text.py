import pandas as pd

from fer_utils import build_vgg
from fer_utils.lab.notebook_text import folded, folded_summary, or_none_found


def test_a_folded_text_stands_below_its_title():
    text = folded("In words", "- **smote** wins.").data
    # The empty lines make notebooks read the text between the tags as Markdown.
    assert text == "<details><summary>In words</summary>\n\n- **smote** wins.\n\n</details>"


def test_a_folded_summary_lists_every_layer():
    model = build_vgg(width=0.1)
    title, table = folded_summary(model).data.split("</summary>")
    assert title.endswith(f"All layers of {model.name}")
    assert all(layer.name in table for layer in model.layers)
    assert f"{model.count_params():,}" in table


def test_an_empty_table_says_so():
    table = pd.DataFrame({"copies": [1]})
    assert or_none_found(table) is table
    assert or_none_found(table[:0]).data == "None found."
