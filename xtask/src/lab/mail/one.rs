// SPDX-License-Identifier: MIT OR Apache-2.0
//! One mail to one patch.

use crate::fault::Fault;
use crate::lab::mail::message::{Attachment, Content, Message, has_diff};
use crate::lab::mail::subject;
use crate::lab::patch::Patch;
use crate::lab::provenance::Provenance;

/// What was taken of a mail.
#[derive(Debug, Default)]
pub struct Taken {
    /// Its patch; none for a cover letter, or another mail without a diff.
    pub patch: Option<Patch>,
    /// What was left out.
    pub notes: Vec<String>,
}

/// The patch in a file that holds one mail; `file` is what it is called after.
///
/// # Errors
/// A usage fault for a patch that cannot be read.
pub fn patch_of_mail(file: &str, text: &[u8]) -> Result<Taken, Fault> {
    let mail = super::mbox::split(text).into_iter().next().unwrap_or(text);
    let message = Message::parse(mail);
    let tag = subject::parse(&message.header_text("subject"));
    if tag.number.is_some_and(|(number, _)| number == 0) {
        let notes = vec![format!("{file} is a cover letter, and no patch")];
        return Ok(Taken { patch: None, notes });
    }
    patch(&message, &format!("mail {file}"), file)
}

/// The patch of a mail that is called `name` in messages; the patch is called `file`.
pub(super) fn patch(message: &Message<'_>, name: &str, file: &str) -> Result<Taken, Fault> {
    let content = message.content();
    let (attached, others): (Vec<_>, Vec<_>) = content.attachments.iter().partition(|one| one.is_patch());
    let refuse = |why: String, help: &str| Err(Fault::usage(format!("{name}: {why}")).help(help));
    let list =
        |all: &[&Attachment]| all.iter().map(|one| format!("`{}`", one.name)).collect::<Vec<_>>().join(", ");
    let is_inline = has_diff(&content.text);
    if is_inline && !attached.is_empty() {
        let why = format!("a diff is in its text, and another one attached ({})", list(&attached));
        return refuse(why, "save the one that is meant as a file, and give that");
    }
    if attached.len() > 1 {
        let why = format!("{} patches are attached to it: {}", attached.len(), list(&attached));
        return refuse(why, "save them into a folder in their order (0001-….patch), and give the folder");
    }
    if !is_inline && attached.is_empty() {
        if let Some(trouble) = &content.trouble {
            return refuse(trouble.clone(), "fetch the mail again");
        }
        let called: Vec<&Attachment> = others.iter().copied().filter(|one| one.is_called_patch()).collect();
        if !called.is_empty() {
            let why = format!("{} is attached to it and cannot be read as a patch", list(&called));
            return refuse(why, "save it, unpack it, and give the file");
        }
        if content.has_html {
            return refuse(
                "it has no diff in its plain text, only HTML".into(),
                "ask for the patch as plain text",
            );
        }
        return Ok(Taken::default());
    }
    let text = mail_text(message, &content, attached.first().copied());
    let mut patch = Patch::parse(file, text)?;
    if let Some(attached) = attached.first() {
        let own = Provenance::read(&String::from_utf8_lossy(&attached.bytes));
        patch.provenance.trailers.extend(own.trailers);
    }
    patch.provenance.is_flowed = content.is_flowed && attached.is_empty();
    let notes = if others.is_empty() {
        Vec::new()
    } else {
        vec![format!("{name}: {} is attached to it, is no patch, and is left out", list(&others))]
    };
    Ok(Taken { patch: Some(patch), notes })
}

/// The mail as a file of one patch: what matters of its headers, its message, and the diff byte for byte.
fn mail_text(message: &Message<'_>, content: &Content, attached: Option<&Attachment>) -> Vec<u8> {
    let mut text = String::new();
    for name in ["From", "Date", "Message-Id", "Subject"] {
        let value = message.header_text(&name.to_ascii_lowercase());
        if !value.is_empty() {
            text.push_str(&format!("{name}: {}\n", value.replace(['\n', '\r'], " ")));
        }
    }
    text.push('\n');
    let start = crate::lab::patch::diff_start(&content.text).unwrap_or(content.text.len());
    let head = Content {
        text: content.text[..start].to_vec(),
        charset: content.charset.clone(),
        ..Content::default()
    };
    text.push_str(&head.words());
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&content.text[start..]);
    if let Some(attached) = attached {
        bytes.extend_from_slice(b"---\n\n");
        let start = crate::lab::patch::diff_start(&attached.bytes).unwrap_or(0);
        bytes.extend_from_slice(&attached.bytes[start..]);
    }
    bytes
}
