import pytest

from fer_utils.faces.boxes import KEYPOINTS, FaceBox, is_same_face, merge_faces, overlap

POINTS = dict.fromkeys(KEYPOINTS, (1, 1))


@pytest.mark.parametrize(
    ("box", "keypoints", "message"),
    [
        ((0, 0, 0, 5), POINTS, "positive size"),
        ((0, 0, 5), POINTS, "x, y, width, height"),
        (
            (0, 0, 5, 5),
            {"left_eye": (1, 1)},
            "'right_eye', 'nose_tip', 'mouth_center', 'right_ear', 'left_ear'",
        ),
    ],
)
def test_impossible_face_boxes_are_refused(box, keypoints, message):
    with pytest.raises(ValueError, match=message):
        FaceBox(box, 0.9, keypoints)


def box(*xywh: int, score: float = 0.9) -> FaceBox:
    return FaceBox(xywh, score, POINTS)


@pytest.mark.parametrize(
    ("other", "share"),
    [(box(0, 0, 10, 10), 1), (box(5, 0, 10, 10), 1 / 3), (box(0, 0, 5, 4), 0.2)],
)
def test_overlap_is_the_shared_part_of_both(other, share):
    assert overlap(box(0, 0, 10, 10), other) == pytest.approx(share)
    assert overlap(other, box(0, 0, 10, 10)) == pytest.approx(share)


@pytest.mark.parametrize("other", [box(10, 0, 10, 10), box(30, 30, 5, 5), box(-20, -20, 9, 9)])
def test_boxes_apart_do_not_overlap(other):
    assert overlap(box(0, 0, 10, 10), other) == 0
    assert not is_same_face(box(0, 0, 10, 10), other)


def test_merging_leaves_one_box_a_face_the_most_certain():
    whole, shifted = box(100, 100, 80, 80, score=0.8), box(120, 110, 80, 80, score=0.7)
    part = box(150, 105, 30, 70, score=0.75)
    neighbour = box(185, 100, 80, 80, score=0.65)
    assert merge_faces([shifted, part, neighbour, whole]) == [whole, neighbour]
    assert merge_faces([]) == []
