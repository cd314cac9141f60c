//! A picture is decoded and written anew: what a camera or a program noted in it (place, device, owner), and whatever is hidden
//! behind its pixels, stays out (product §5).

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{FileError, Shown};

/// A screenshot of a large screen has a few MB.
pub const MAX_PICTURE: u64 = 20 * 1024 * 1024;
/// Pixels of one side, and bytes that decoding may take.
const MAX_SIDE: u32 = 16_384;
const MAX_DECODED: u64 = 256 * 1024 * 1024;

/// The same picture without anything else. It works for a while: call it where that blocks nobody.
pub fn cleaned(kind: Shown, bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let format = match kind {
        Shown::Png => ImageFormat::Png,
        Shown::Jpeg => ImageFormat::Jpeg,
        Shown::WebP => ImageFormat::WebP,
        Shown::Mp4 | Shown::WebM => return Err(FileError::Picture),
    };
    let mut out = Cursor::new(Vec::new());
    written(decoded(format, bytes)?, format).write_to(&mut out, format).map_err(|_| FileError::Picture)?;
    Ok(out.into_inner())
}

fn decoded(format: ImageFormat, bytes: &[u8]) -> Result<DynamicImage, FileError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| FileError::Picture)?;
    if decoder.total_bytes() > MAX_DECODED {
        return Err(FileError::Picture);
    }
    // A phone's picture is told to be turned by a note that goes.
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| FileError::Picture)?;
    picture.apply_orientation(turned);
    Ok(picture)
}

/// With the kinds of pixels that the format can hold.
fn written(picture: DynamicImage, format: ImageFormat) -> DynamicImage {
    match format {
        ImageFormat::Jpeg => DynamicImage::ImageRgb8(picture.into_rgb8()),
        ImageFormat::WebP => DynamicImage::ImageRgba8(picture.into_rgba8()),
        _ => picture,
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn picture(format: ImageFormat) -> Vec<u8> {
        let pixels = RgbImage::from_fn(8, 4, |x, y| {
            image::Rgb([u8::try_from(x * 30).unwrap_or(0), u8::try_from(y * 60).unwrap_or(0), 9])
        });
        let mut out = Cursor::new(Vec::new());
        written(DynamicImage::ImageRgb8(pixels), format).write_to(&mut out, format).expect("a picture");
        out.into_inner()
    }

    fn holds(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|part| part == text)
    }

    #[test]
    fn s12_what_a_camera_noted_is_not_in_the_picture_that_is_kept() {
        let clean = picture(ImageFormat::Jpeg);
        // An EXIF segment behind the start marker: big-endian, one entry, orientation 6 (turned by 90°), and a place.
        let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0GPS 55.75N 37.61E";
        let length = u16::try_from(exif.len() + 2).expect("short").to_be_bytes();
        let noted = [&clean[..2], &[0xff, 0xe1], &length, exif, &clean[2..]].concat();
        assert!(holds(&noted, b"GPS"));
        let kept = cleaned(Shown::Jpeg, &noted).expect("a picture");
        assert!(!holds(&kept, b"GPS") && !holds(&kept, b"Exif"));
        let seen = image::load_from_memory(&kept).expect("a picture");
        assert_eq!((seen.width(), seen.height()), (4, 8), "it stands as its maker saw it");
    }

    #[test]
    fn s12_what_hangs_behind_a_picture_goes() {
        for (kind, format) in
            [(Shown::Png, ImageFormat::Png), (Shown::Jpeg, ImageFormat::Jpeg), (Shown::WebP, ImageFormat::WebP)]
        {
            let hidden = [picture(format).as_slice(), b"PK\x03\x04<script>"].concat();
            let kept = cleaned(kind, &hidden).expect("a picture");
            assert!(!holds(&kept, b"<script>"), "{kind:?}");
            assert_eq!(image::load_from_memory_with_format(&kept, format).expect("a picture").width(), 8);
        }
    }

    #[test]
    fn s12_what_is_no_picture_or_a_bomb_is_refused() {
        let whole = picture(ImageFormat::Png);
        let mut wide = whole.clone();
        // The header says 65,535 pixels a side; its checksum is not even looked at before that.
        wide[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        for bad in [b"".as_slice(), b"\x89PNG\r\n\x1a\n", &whole[..whole.len() / 2], &wide] {
            assert!(matches!(cleaned(Shown::Png, bad), Err(FileError::Picture)));
        }
        assert!(cleaned(Shown::Jpeg, &whole).is_err(), "a picture of another kind");
    }
}
