"""What 01_dataset says, by planted metrics: every branch."""

import pytest

from posekit.workflow.words import dataset as words

AGREEMENT = {"mean": 0.81, "low": 0.7, "high": 0.9, "over": "people", "n": [16]}


def twice(agreement=AGREEMENT, others=0):
    return {"photographs": 16, "joints": 199, "others": others, "agreement": agreement}


def planted(**changes):
    metrics = {
        "data": "lspet:folder", "people": 8000, "joints": 14, "labelled_per_person": 12.33, "hidden_share": 0.0,
        "fully_labelled_share": 0.4,
        "upright_share": 0.52, "inverted_share": 0.23, "splits": {"train": 5512, "val": 500, "test": 1988},
        "left_out": {"without a picture": 0, "with NaN coordinates": 0}, "floor": 0.058, "twice": twice(),
        "statistics": [{"attribute": "knee flexion", "unit": "°", "people": 7000, "5 %": 4.08, "median": 50.2, "95 %": 139.6,
                        "definition": "a | b"},
                       {"attribute": "facing", "unit": "", "people": 6602, "5 %": -0.58, "median": 0.0, "95 %": 0.7,
                        "definition": "c"}],
        "preprocessing": {"crop": 160, "context": 1.25, "margin": 1.25, "rotation": 25.0, "scale": 0.2, "shift": 0.06, "flip": 0.5,
                          "colour": 0.25,
                          "occlusion": 0.2, "upside_down": 0.05},
        "beside": True,
    }  # fmt: skip
    return metrics | changes


def said(**changes):
    return words.sentences(planted(**changes))


def test_answer_is_what_bounds_scores_most():
    assert said()["answer"].startswith("**Two annotators of the same photograph agree on 81 % of its joints**")
    assert "predicted for everybody, finds only 5.8 % of the joints" in said(twice=twice(None))["answer"]
    assert said(twice=twice(None), floor=None)["answer"] == "**8,000 people have 12.3 of 14 joints labelled**, on average."


@pytest.mark.parametrize(
    ("data", "about"), [("lspet:folder", "Mechanical Turk"), ("mannequins:300", "rendered by posekit"), ("coco:x@all", "lin2014")]
)
def test_provenance_names_the_source(data, about):
    assert about in said(data=data)["provenance"]


def test_provenance_of_own_data_and_what_was_left_out():
    text = said(data="own:folder", hidden_share=0.21, left_out={"without a picture": 3, "with NaN coordinates": 1})["provenance"]
    assert "The data of this edition are **own** (`own:folder`). The data used here have" in text
    assert "Of the labelled joints 21 % are hidden." in text
    assert "3 without a picture and 1 with NaN coordinates were left out." in text
    assert "Hidden joints are not marked." in said()["provenance"] and "None of these was left out." in said()["provenance"]
    assert "have 8,000 of its 10,000 people, with" in said()["provenance"], "a part of the published set"
    assert "have 10,000 people, with" in said(people=10_000)["provenance"]


def test_the_kind_of_people_is_named():
    assert "athletes" in said()["kind"] and "mannequins" in said(data="mannequins:300")["kind"]
    assert said(data="own:folder")["kind"] == "the data `own:folder`"


def test_floor_is_left_out_where_there_are_no_splits():
    assert "finds 5.8 % of the" in said()["floor"] and said(floor=None)["floor"] == ""


def test_statistics_are_a_table():
    lines = said()["statistics"].splitlines()
    assert lines[2] == "| knee flexion (°) | 7,000 | 4 | 50 | 140 | a \\| b |"
    assert lines[3] == "| facing | 6,602 | −0.58 | 0.00 | 0.70 | c |"
    assert "No attribute" in said(statistics=[])["statistics"]


@pytest.mark.parametrize(
    ("others", "clause"),
    [(0, "therefore be compared. Of the 199"), (1, "In one more photograph the"), (3, "In 3 more photographs the")],
)
def test_labels_say_how_well_annotators_agree(others, clause):
    text = said(twice=twice(others=others))["labels"]
    assert clause in text and "81.0 % [70.0, 90.0]" in text
    assert "each places about 90 % of the joints correctly" in text, "the square root of 0.81"


def test_labels_without_photographs_annotated_twice():
    assert "The joints of rendered people are exact" in said(data="mannequins:300")["labels"]
    assert "cannot be measured" in said(twice=twice(None))["labels"]


def test_preprocessing_is_a_table_of_the_values_used():
    text = said()["preprocessing"]
    assert (
        "| rotation | normal, standard deviation 25°, clipped at 50°; in 5 % of views any angle |" in text
        and "1/1.2 and 1.2" in text
        and "160 × 160" in text
    )


def test_mannequins_beside_photographs():
    assert "most similar pose" in said()["beside"]
    assert "has no photographs" in said(beside=False, data="mannequins:300")["beside"]
    assert "parameter `beside`" in said(beside=False)["beside"]
