//! What a file is by its own first bytes: what its sender says of it is nothing to go by (product §5, "Links and files").

/// How many bytes are enough to know.
pub const ENOUGH: usize = 512;

/// What may be shown in the page itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Png,
    Jpeg,
    WebP,
    Mp4,
    WebM,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Shown(Shown),
    /// Anything else: it is handed out to be saved.
    Other,
}

impl Shown {
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::WebP)
    }

    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Mp4 => "video/mp4",
            Self::WebM => "video/webm",
        }
    }
}

impl Type {
    pub fn mime(self) -> &'static str {
        match self {
            Self::Shown(shown) => shown.mime(),
            Self::Other => "application/octet-stream",
        }
    }

    pub fn parse(mime: &str) -> Self {
        let shown = [Shown::Png, Shown::Jpeg, Shown::WebP, Shown::Mp4, Shown::WebM];
        shown.into_iter().find(|one| one.mime() == mime).map_or(Self::Other, Self::Shown)
    }
}

pub fn sniff(head: &[u8]) -> Type {
    match infer::get(head).map(|found| found.mime_type()) {
        Some(mime) => Type::parse(mime),
        None => Type::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_a_file_is_what_its_bytes_say() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n....").mime(), "image/png");
        assert_eq!(sniff(b"\xff\xd8\xff\xe0....").mime(), "image/jpeg");
        assert_eq!(sniff(b"RIFF\x00\x00\x00\x00WEBPVP8 ").mime(), "image/webp");
        assert_eq!(sniff(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom").mime(), "video/mp4");
        let film = [b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm".as_slice(), &[0; 300]].concat();
        assert_eq!(sniff(&film).mime(), "video/webm");
        for other in
            [b"".as_slice(), b"<html><script>", b"<svg xmlns=", b"%PDF-1.7", b"MZ\x90\x00", b"GIF89a", b"PK\x03\x04"]
        {
            assert_eq!(sniff(other), Type::Other, "{other:?}");
        }
    }

    #[test]
    fn s12_only_five_kinds_are_ever_shown() {
        for shown in [Shown::Png, Shown::Jpeg, Shown::WebP, Shown::Mp4, Shown::WebM] {
            assert_eq!(Type::parse(shown.mime()), Type::Shown(shown));
        }
        for mime in ["text/html", "image/svg+xml", "application/pdf", "image/gif", ""] {
            assert_eq!(Type::parse(mime), Type::Other);
        }
    }
}
