"""Pictures and custom fields of profiles, through the gateway; the pictures are made and read by Pillow."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageOps

from test_profile import Owner, owner, stranger  # noqa: F401: fixtures


def picture(kind, size=(40, 30), mode="RGB", **options):
    image = Image.new(mode, size, (200, 30, 60) if mode == "RGB" else (200, 30, 60, 128))
    image.putpixel((0, 0), (0, 0, 0) if mode == "RGB" else (0, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def described():
    """Where it was taken, as cameras say it."""
    exif = Image.Exif()
    exif[0x010E] = "at home, Hidden Street 7"
    return exif


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_kept_without_what_is_not_a_pixel(owner, kind):  # noqa: F811
    sent = picture(kind, exif=described())
    assert b"Hidden Street" in sent
    answer = owner.call("POST", "/avatar/upload", files={"file": ("me.bin", sent, "application/octet-stream")})
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert (data["width"], data["height"], data["content_type"]) == (40, 30, f"image/{kind.lower()}")
    shown = owner.call("GET", "/avatar")
    assert shown.status_code == 200 and shown.headers["content-type"] == f"image/{kind.lower()}"
    assert shown.headers["x-content-type-options"].split(",")[0] == "nosniff" and "max-age" in shown.headers["cache-control"]
    assert b"Hidden Street" not in shown.content and b"Exif" not in shown.content
    kept = Image.open(io.BytesIO(shown.content))
    kept.load()
    assert kept.size == (40, 30) and not kept.getexif()
    red, green, blue = kept.convert("RGB").getpixel((20, 15))
    assert abs(red - 200) < 12 and abs(green - 30) < 12 and abs(blue - 60) < 12
    again = owner.call("GET", "/avatar", headers={"If-None-Match": shown.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    profile = owner.call("GET")
    assert profile.json()["data"]["avatar_url"] == data["avatar_url"]
    assert owner.http.get(data["avatar_url"], headers=owner.token).content == shown.content


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_kept_as_it_is_to_be_seen(owner, orientation):  # noqa: F811
    # A corner of each colour, in blocks as large as JPEG's own.
    image = Image.new("RGB", (48, 32), (200, 200, 200))
    for corner, color in {(0, 0): (255, 0, 0), (32, 0): (0, 255, 0), (0, 16): (0, 0, 255), (32, 16): (0, 0, 0)}.items():
        image.paste(color, (*corner, corner[0] + 16, corner[1] + 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, quality=95)
    assert owner.call("POST", "/avatar/upload", files={"file": ("me.jpg", out.getvalue(), "image/jpeg")}).status_code == 201
    kept = Image.open(io.BytesIO(owner.call("GET", "/avatar").content))
    expected = ImageOps.exif_transpose(image_with(out.getvalue()))
    assert kept.size == expected.size and not kept.getexif()
    for x in (8, kept.width - 8):
        for y in (8, kept.height - 8):
            pairs = zip(kept.getpixel((x, y)), expected.getpixel((x, y)))
            assert all(abs(one - other) < 30 for one, other in pairs), (orientation, x, y)


def image_with(content):
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_a_picture_may_be_the_body_itself_and_transparency_stays(owner):  # noqa: F811
    sent = picture("PNG", mode="RGBA")
    answer = owner.call("POST", "/avatar/upload", content=sent, headers={"Content-Type": "image/png"})
    assert answer.status_code == 201, answer.text
    kept = Image.open(io.BytesIO(owner.call("GET", "/avatar").content))
    assert kept.mode == "RGBA" and kept.getpixel((0, 0))[3] == 0 and kept.getpixel((5, 5))[3] == 128


def png_of(width, height):
    """A small file that says it is large."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content, kind, status",
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", 422), (b"GIF89a" + b"\0" * 40, "image/png", 422),
        (b"", "image/png", 422), (picture("PNG")[:60], "image/png", 422), (picture("JPEG")[:300], "image/jpeg", 422),
        (png_of(50_000, 50_000), "image/png", 422), (png_of(4_000, 4_000), "image/png", 422), (b"{}", "application/json", 415),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 2_097_152, "image/png", 413), (b"no boundary", "multipart/form-data", 422),
        (b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--b--", "multipart/form-data; boundary=b", 422),
    ],
)
def test_what_is_no_picture_or_too_much_of_one_is_refused(owner, content, kind, status):  # noqa: F811
    answer = owner.call("POST", "/avatar/upload", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["violations"][0]["field"] == "file", answer.text
    assert owner.call("GET", "/avatar").status_code == 404


def test_others_see_a_picture_while_privacy_lets_them_and_never_change_it(owner, stranger):  # noqa: F811
    owner.call("POST", "/avatar/upload", content=picture("PNG"), headers={"Content-Type": "image/png"})
    assert stranger.call("GET", "/avatar", of=owner.id).status_code == 200
    assert owner.call("PUT", "/privacy", json={"avatar_url": "private"}).status_code == 200
    assert stranger.call("GET", "/avatar", of=owner.id).status_code == 404
    assert owner.call("GET", "/avatar").status_code == 200
    for method, path in (("POST", "/avatar/upload"), ("DELETE", "/avatar")):
        options = {"content": picture("PNG"), "headers": {"Content-Type": "image/png"}} if method == "POST" else {}
        assert stranger.call(method, path, of=owner.id, **options).status_code == 404
    assert owner.http.get(f"/profile/api/v1/profiles/{owner.id}/avatar").status_code == 401


def test_a_stale_etag_changes_no_picture_and_removing_it_removes_it(owner):  # noqa: F811
    stale = owner.call("GET").headers["etag"]
    put = owner.call("POST", "/avatar/upload", content=picture("PNG"), headers={"Content-Type": "image/png", "If-Match": stale})
    assert put.status_code == 201
    for method, path in (("POST", "/avatar/upload"), ("DELETE", "/avatar")):
        options = {"content": picture("JPEG")} if method == "POST" else {}
        answer = owner.call(method, path, headers={"Content-Type": "image/jpeg", "If-Match": stale}, **options)
        assert answer.status_code == 412, answer.text
    assert owner.call("GET", "/avatar").headers["content-type"] == "image/png"
    removed = owner.call("DELETE", "/avatar", headers={"If-Match": put.headers["etag"]})
    assert removed.status_code == 200 and "avatar_url" not in removed.json()["data"]
    assert owner.call("GET", "/avatar").status_code == 404


def test_forgetting_a_profile_forgets_its_picture(owner):  # noqa: F811
    owner.call("POST", "/avatar/upload", content=picture("PNG"), headers={"Content-Type": "image/png"})
    assert owner.call("DELETE").status_code == 200
    assert owner.call("GET", "/avatar").status_code == 404


def test_custom_fields_are_what_the_tenant_says(owner, http, auditor):  # noqa: F811
    admin = {"Authorization": auditor.headers["Authorization"]}
    url = "/profile/api/v1/admin/custom-fields"
    schema = {
        "fields": {
            "team": {"type": "string", "required": True, "enum": ["blue", "red"]},
            "desk": {"type": "integer", "minimum": 1, "maximum": 99}, "remote": {"type": "boolean"},
        }
    }
    assert http.put(url, json=schema, headers=owner.token).status_code == 403
    wrong = http.put(url, json={"fields": {"x": {"type": "string", "minimum": 1}}}, headers=admin)
    assert wrong.status_code == 422 and wrong.json()["violations"][0]["field"] == "fields.x.minimum", wrong.text
    assert http.put(url, json={"fields": {"x": {"type": "date"}}}, headers=admin).status_code == 422
    assert http.put(url, json=schema, headers=admin).status_code == 200
    try:
        shown = http.get("/profile/api/v1/custom-fields", headers=owner.token).json()["data"]
        assert shown["any_field"] is False and set(shown["fields"]) == {"team", "desk", "remote"}
        good = {"team": "blue", "desk": 7, "remote": False}
        assert owner.call("PUT", json={"custom_fields": good}).json()["data"]["custom_fields"] == good
        for bad, field in (
            ({"team": "green"}, "team"), ({"team": "red", "desk": 100}, "desk"), ({"team": "red", "desk": "7"}, "desk"),
            ({"team": "red", "other": 1}, "other"), ({"desk": 1}, "team"), ({"team": "red", "desk": 1.5}, "desk"),
        ):
            answer = owner.call("PUT", json={"custom_fields": bad})
            assert answer.status_code == 422, (bad, answer.text)
            assert answer.json()["violations"][0]["field"] == f"custom_fields.{field}", answer.text
        cleared = owner.call("PUT", json={"custom_fields": None})
        assert cleared.status_code == 422 and cleared.json()["violations"][0]["field"] == "custom_fields.team"
        assert owner.call("GET").json()["data"]["custom_fields"] == good
        assert owner.call("PUT", json={"nickname": "Ann"}).status_code == 200
    finally:
        assert http.delete(url, headers=admin).status_code == 200
    assert owner.call("PUT", json={"custom_fields": {"anything": 1}}).status_code == 200
