"""Mannequins: anatomy in closed form, ray casting against geometry, honest visibility, reproducible
pictures."""

import dataclasses
import math

import numpy as np
import pytest

from posekit.data import mannequins as m
from posekit.data.mannequins import bodies
from posekit.data.mannequins.flesh import Clothes, body_solids
from posekit.data.mannequins.postures import POSTURES, draw_pose
from posekit.data.mannequins.raycasting import Samples, cast, first_met, quadrics, rasterise, surfaces
from posekit.data.mannequins.scenes import Scene, draw_scene, visibility
from posekit.data.mannequins.solids import Camera, box, cone, seen_solids

SWAP = np.array([bodies.KEYPOINTS.index(n.replace("left", "~").replace("right", "left").replace("~", "right")) for n in bodies.KEYPOINTS])


@pytest.fixture(scope="module")
def people():
    return [m.render(index, seed=7, size=64) for index in range(40)]


def camera_at(distance: float) -> Camera:
    """In front of the body's frame, level, looking along −z, with 2 m of width in the picture at its
    origin."""
    return Camera(np.array([0, 0, distance]), np.diag([1.0, -1.0, -1.0]), distance / 2)


def stage(heading: float = 0.0, extra: tuple[np.ndarray, ...] = (), **changes: float) -> Scene:
    """A T-pose (but for `changes`) at the origin seen from 20 m, with further solids."""
    build, angles = (
        bodies.Build(),
        t_pose() | {name.replace("_", " "): value for name, value in changes.items()},
    )
    bones = bodies.pose_bones(angles, build, bodies.rotation(1, heading))
    solids = np.concatenate([body_solids(*bones, build, Clothes()), *extra])
    camera, places = camera_at(20.0), bodies.keypoint_positions(*bones, build)
    solids = seen_solids(solids, camera)
    scene, pieces = draw_scene(0), quadrics(solids)
    return dataclasses.replace(
        scene, solids=solids, pieces=pieces, camera=camera, places=places, bones=bones, build=build,
        flags=visibility(solids, pieces, camera, places, build), colours=np.ones((7, 2, 3)), patterns=np.zeros((7,
        5)),
    )  # fmt: skip


def t_pose() -> dict[str, float]:
    angles = dict.fromkeys(bodies.rest_angles(), 0.0)
    angles["left elevation"] = angles["right elevation"] = 90.0
    return angles


# Anatomy


def test_t_pose_keypoints_are_sums_of_bones():
    """Arms level at the raised shoulder (half of the way that a shoulder rises), legs straight down."""
    build = bodies.Build()
    places = bodies.keypoint_positions(*bodies.pose_bones(t_pose(), build), build)
    shoulder = np.array([0.18 - 0.015, 0.10 + 0.12 + 0.225 + 0.03, -0.01])
    named = dict(zip(bodies.KEYPOINTS, places, strict=False))
    np.testing.assert_allclose(named["left shoulder"], shoulder, atol=1e-12)
    np.testing.assert_allclose(named["left elbow"], shoulder + np.array([0.29, 0, 0]), atol=1e-12)
    np.testing.assert_allclose(named["left wrist"], shoulder + np.array([0.55, 0, 0]), atol=1e-12)
    np.testing.assert_allclose(named["left ankle"], (0.095, -0.84, 0), atol=1e-12)
    np.testing.assert_allclose(named["nose"], np.array([0, 0.10 + 0.12 + 0.27 + 0.09 + 0.072, 0.124]), atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "bone", "direction"),
    [
        ({"left elevation": 0.0}, (5, 6), (0, -1, 0)),  # hanging
        ({"left azimuth": 90.0}, (5, 6), (0, 0, 1)),  # raised forward
        ({"left elevation": 180.0}, (5, 6), (0, 1, 0)),  # overhead
        (
            {"left elevation": 0.0, "left elbow": 90.0},
            (6, 7),
            (0, 0, 1),
        ),  # a bent elbow brings the hand forward
        ({"left hip": 90.0}, (11, 12), (0, 0, 1)),
        ({"left abduction": 90.0}, (11, 12), (1, 0, 0)),  # away from the other leg
        ({"left knee": 90.0}, (12, 13), (0, 0, -1)),  # the heel goes back
        ({"lean": 90.0}, (2, 3), (0, 0, 1)),
    ],
)
def test_angles_turn_bones_the_natural_way(changes, bone, direction):
    origins, _ = bodies.pose_bones(t_pose() | changes, bodies.Build())
    along = origins[bone[1]] - origins[bone[0]]
    tolerance = 0.06 if bone == (2, 3) else 1e-9  # the neck begins 1 cm behind the spine
    np.testing.assert_allclose(along / np.linalg.norm(along), direction, atol=tolerance)


def test_every_pose_keeps_limb_lengths_and_limits():
    rng = np.random.default_rng(0)
    for _ in range(60):
        pose, build = draw_pose(rng), bodies.draw_build(rng)
        origins, frames = bodies.pose_bones(pose.angles, build, pose.root)
        offsets = np.linalg.norm(bodies.bone_offsets(build), axis=1)
        for bone in (6, 7, 9, 10, 12, 13, 15, 16):
            assert np.linalg.norm(origins[bone] - origins[bodies.PARENTS[bone]]) == pytest.approx(offsets[bone])
        np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.tile(np.eye(3), (17, 1, 1)), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(frames), 1)
        for name, value in pose.angles.items():
            low, high = bodies.LIMITS[name.split()[-1]]
            assert low <= value <= high, name


def test_mirrored_angles_are_the_mirrored_body():
    rng = np.random.default_rng(1)
    for _ in range(20):
        pose, build = draw_pose(rng), bodies.draw_build(rng)
        places = bodies.keypoint_positions(*bodies.pose_bones(pose.angles, build, pose.root), build)
        mirrored = bodies.mirror_angles(pose.angles)
        other = bodies.keypoint_positions(*bodies.pose_bones(mirrored, build, pose.root * bodies.MIRROR), build)
        np.testing.assert_allclose(other, places[SWAP] * (-1, 1, 1), atol=1e-9)


def test_left_and_right_are_exchangeable():
    rng = np.random.default_rng(2)
    poses = [draw_pose(rng) for _ in range(1500)]
    for name in bodies.LIMB_ANGLES:
        difference = np.array([p.angles["left " + name] - p.angles["right " + name] for p in poses])
        assert abs(difference.mean()) < 4.5 * difference.std() / math.sqrt(len(poses)), name
    assert {p.posture for p in poses} == set(range(len(POSTURES)))


def test_a_body_is_as_tall_as_its_build_says():
    for height in (1.2, 1.73, 1.95):
        build = bodies.Build(height=height)
        solids = body_solids(*bodies.pose_bones(bodies.rest_angles(), build), build, Clothes())
        ends = np.stack([solids["start"], solids["start"] + solids["inverse"][:, 1] * solids["length"][:, None]], 1)[..., 1]
        tall = (ends + solids["radii"]).max() - (ends - solids["radii"]).min()
        assert tall == pytest.approx(height, rel=0.06)


# Ray casting


def one(solid: np.ndarray, distance: float = 10.0) -> tuple[np.ndarray, Camera]:
    camera = camera_at(distance)
    return seen_solids(solid, camera), camera


def test_a_sphere_is_met_at_its_surface():
    solids, camera = one(cone((0, 0, 0), (0, 1e-4, 0), 0.5, 0))
    solid, depth = first_met(solids, quadrics(solids), np.array([[0, 0, 1.0], [0.2, 0, 1.0]]))
    assert solid.tolist() == [0, -1]
    assert depth[0] == pytest.approx(9.5, abs=1e-3)
    _, sample, depth = cast(solids, quadrics(solids), Samples(camera, 200, 1))
    # It covers the disc whose rim is tangent to it: radius r / sqrt(d² − r²), here times the focal length
    # in pixels.
    radius = 0.5 / math.sqrt(100 - 0.25) * camera.focal * 200
    assert len(sample) == pytest.approx(math.pi * radius**2, rel=0.01)
    assert depth.min() == pytest.approx(9.5, abs=1e-3)


def test_grid_and_single_rays_agree():
    scene = draw_scene(3)
    samples = Samples(scene.camera, 40, 1)
    _solid, sample, depth = cast(scene.solids, scene.pieces, samples)
    nearest = np.full(1600, np.inf)
    np.minimum.at(nearest, sample, depth)
    row, column = np.divmod(np.arange(1600), 40)
    rays = np.stack([samples.x(column, row), samples.y(row), np.ones(1600)], 1)
    _, single = first_met(scene.solids, scene.pieces, rays)
    close = np.isclose(nearest, single, rtol=1e-3) | (np.isinf(nearest) & np.isinf(single))
    assert close.mean() > 0.99  # rims are decided by rounding


def test_a_box_is_met_at_its_face_and_normals_look_at_the_camera():
    solids, camera = one(box((0, 0, 0), (1, 1, 1), np.eye(3), 0))
    solid, sample, depth = cast(solids, quadrics(solids), Samples(camera, 8, 1))
    centre = sample == 8 * 4 + 4
    assert depth[centre] == pytest.approx(9.0, abs=1e-5)
    _, normal = surfaces(solids, solid, np.zeros(len(solid), "f4"), np.zeros(len(solid), "f4"), np.full(len(solid), 9, "f4"))
    np.testing.assert_allclose(normal.T, np.tile((0, 0, -1.0), (len(solid), 1)), atol=1e-6)


def test_a_tapered_cone_has_unit_normals_at_right_angles_to_its_outline():
    solids, camera = one(cone((0, -0.4, 0), (0, 0.4, 0), (0.3, 0.1), 0))
    samples = Samples(camera, 160, 1)
    solid, sample, depth = cast(solids, quadrics(solids), samples)
    row, column = np.divmod(sample, 160)
    dx, dy = samples.x(column, row).astype("f4"), samples.y(row).astype("f4")
    _place, normal = surfaces(solids, solid, dx, dy, depth)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=0), 1, atol=1e-4)
    side = np.abs(row - 79.5) < 20
    front = np.full(len(solid), np.inf)
    nearest = np.full(160 * 160, np.inf)
    np.minimum.at(nearest, sample, depth)
    front = depth == nearest[sample]
    # On the side the normal leans towards the thin end by the sine of the taper, (0.3 − 0.1) / 0.8.
    np.testing.assert_allclose(normal[1][side & front], -0.25, atol=5e-3)
    assert np.all(normal[2][front] < 0.1)


# Visibility


def flags_of(scene: Scene) -> dict[str, int]:
    return dict(zip(bodies.KEYPOINTS, scene.flags.tolist(), strict=False))


def test_a_t_pose_from_the_front_shows_everything_but_not_from_behind():
    front = flags_of(stage(0))
    assert all(front[name] == 2 for name in bodies.KEYPOINTS if "ear" not in name)
    behind = flags_of(stage(180))
    assert [behind[name] for name in ("nose", "left eye", "right eye")] == [1, 1, 1]
    assert all(behind[name] == 2 for name in bodies.KEYPOINTS[5:])


def test_in_profile_the_far_side_is_hidden():
    # Turned to its right with the arms a little forward: the left side faces the camera.
    flags = flags_of(stage(-90, left_elevation=40, left_azimuth=90, right_elevation=5))
    assert flags["left shoulder"] == flags["left hip"] == flags["left eye"] == flags["left ear"] == 2
    assert flags["right shoulder"] == flags["right hip"] == flags["right eye"] == flags["right ear"] == 1


def test_an_occluder_hides_what_lies_behind_it_and_nothing_else():
    bare = stage(0)
    wrist = bare.places[bodies.KEYPOINTS.index("left wrist")]
    for depth, expected in ((1.0, 1), (-1.0, 2)):  # before, behind
        flags = flags_of(stage(0, (box(wrist + np.array([0, 0, depth]), (0.08, 0.08, 0.05), np.eye(3), 0),)))
        assert flags == flags_of(bare) | {"left wrist": expected}


def test_outside_the_picture_is_not_labelled():
    scene = stage(0)
    camera = dataclasses.replace(scene.camera, centre=(0.9, 0.5))
    flags = visibility(scene.solids, scene.pieces, camera, scene.places, scene.build)
    outside = camera.project(scene.places)[:, 0] >= 1
    assert outside.any()
    np.testing.assert_array_equal(flags == 0, outside)


def test_parts_lie_where_the_joints_are():
    scene = stage(0)
    raster = rasterise(scene.solids, scene.pieces, scene.camera, 200, 1)
    parts = np.zeros(200 * 200, int)
    parts[raster.sample] = scene.solids["part"][raster.solid]
    parts = parts.reshape(200, 200)
    places = scene.camera.project(scene.places) * 200 - 0.5
    for joint, one, other in ((7, 3, 4), (8, 6, 7), (13, 9, 10), (14, 12, 13)):
        x, y = np.rint(places[joint]).astype(int)
        assert parts[y, x] in (one, other), bodies.KEYPOINTS[joint]
    # Person-centric: facing the camera, the left arm lies to the right of the picture.
    assert np.nonzero(parts == m.PARTS.index("left forearm"))[1].min() > 100 > np.nonzero(parts == m.PARTS.index("right forearm"))[1].max()


def test_heading_and_roll_are_measured_as_documented():
    blank, seen = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.float32)
    for turn in (0, 60, -120):
        scene = stage(turn)
        factors = m.measure(scene, rasterise(scene.solids, scene.pieces, scene.camera, 8), blank, seen)
        assert factors["heading"] == pytest.approx(math.radians(turn), abs=1e-6)
        assert factors["left shoulder"] == pytest.approx(math.pi / 2)
        assert factors["roll"] == pytest.approx(0, abs=0.1)


# Pictures


def test_the_same_index_gives_the_same_bytes():
    first, second, other = (
        m.render(5, seed=3, size=48),
        m.render(5, seed=3, size=48),
        m.render(5, seed=4, size=48),
    )
    assert first.picture.tobytes() == second.picture.tobytes()
    assert first.keypoints.tobytes() == second.keypoints.tobytes()
    assert first.factors == second.factors
    assert first.picture.tobytes() != other.picture.tobytes()


def test_size_changes_resolution_and_nothing_else():
    for index in range(6):
        small, large = m.render(index, size=80), m.render(index, size=160)
        np.testing.assert_allclose(large.keypoints[:, :2], 2 * (small.keypoints[:, :2] + 0.5) - 0.5, rtol=0, atol=2e-5)
        np.testing.assert_array_equal(large.keypoints[:, 2], small.keypoints[:, 2])
        np.testing.assert_allclose(large.box[:2] + 0.5, 2 * (small.box[:2] + 0.5), atol=2)
        for name in ("heading", "elevation", "size", "left knee", "body height"):
            assert small.factors[name] == large.factors[name]
        coarse = large.picture.reshape(80, 2, 80, 2, 3).mean((1, 3))
        assert np.corrcoef(coarse.ravel(), small.picture.ravel())[0, 1] > 0.7


def test_pictures_keep_their_contract(people):
    for person in people:
        assert person.picture.shape == (64, 64, 3)
        assert person.picture.dtype == np.uint8
        assert person.keypoints.shape == (17, 3)
        assert person.keypoints.dtype == person.box.dtype == np.float32
        flags = person.keypoints[:, 2]
        assert set(np.unique(flags)) <= {0, 1, 2}
        np.testing.assert_array_equal(np.isnan(person.keypoints[:, :2]).any(1), flags == 0)
        inside = person.keypoints[flags > 0, :2]
        assert (inside >= -0.5).all()
        assert (inside < 63.5).all()
        x, y, w, h = person.box
        assert min(x, y) >= -0.5
        assert max(x + w, y + h) <= 63.5
        assert tuple(person.factors) == m.FACTORS
        assert all(math.isfinite(value) for value in person.factors.values())
        assert 0 <= person.factors["occluded"] <= 1
        assert person.factors["visible joints"] == (flags == 2).sum()


def test_people_fill_their_pictures(people):
    sizes = np.array([p.factors["size"] for p in people])
    assert 0.58 < np.median(sizes) < 0.7
    assert np.mean([p.factors["visible joints"] for p in people]) > 9


def test_silhouettes_fit_the_box_and_the_visible_joints(people):
    for index, person in enumerate(people[:8]):
        parts = m.render_silhouettes(index, seed=7, size=64)
        assert parts.dtype == np.uint8
        assert parts.max() < len(m.PARTS)
        rows, columns = np.nonzero(parts)
        x, y, w, h = person.box
        assert columns.min() >= x - 0.5
        assert columns.max() <= x + w + 0.5
        assert rows.min() >= y - 0.5
        assert rows.max() <= y + h + 0.5


def test_box_of_a_silhouette_reaches_from_edge_to_edge():
    samples = np.zeros((8, 4), bool)  # 4 pixels a side, two samples to each
    samples[2:6, 1:3] = True  # pixels 1 and 2 whole
    np.testing.assert_array_equal(m.silhouette_box(samples), [0.5, 0.5, 2, 2])
    np.testing.assert_array_equal(m.silhouette_box(np.zeros((8, 4), bool)), [0, 0, 0, 0])


def test_many_come_in_order_from_several_processes():
    told = []
    several = list(m.render_many(range(33), seed=1, size=24, workers=2, progress=told.append))
    assert told == list(range(1, 34))
    for index in (0, 15, 16, 32):
        assert several[index].picture.tobytes() == m.render(index, seed=1, size=24).picture.tobytes()
    assert [p.factors for p in m.render_many([4, 2], seed=1, size=24, workers=1)] == [
        several[4].factors,
        several[2].factors,
    ]
