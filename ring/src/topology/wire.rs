use core::fmt;

use quorate_core::{
    Declared, DecodeError, Field, FieldShape, FieldValue, Form, List, Reader, Shape, Shown, Source,
    Variant, VisitedField, Wire, Writer,
};

use super::revision::Revision;
use super::table::MAX_EPOCH;
use super::{Entry, Topology};
use crate::Storage;
use crate::members::insert_at;

impl<S: Storage> Topology<S> {
    /// Reads a list that takes as many members as this one does.
    pub(super) fn read(&self, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = Self { revision: Revision::of_decoded(), ..self.like() };
        (list.epoch, list.forgotten) = (input.u64()?, input.u64()?);
        for _ in 0..input.u64()? {
            let entry = Entry::decode(input)?;
            if list.entries.len() >= list.limit() {
                return Err(DecodeError::Invalid);
            }
            list.entries.push(entry).map_err(|_| DecodeError::Invalid)?;
        }
        if list.is_sound() { Ok(list) } else { Err(DecodeError::Invalid) }
    }

    /// Whether changes and merges can lead to this list.
    pub(super) fn is_sound(&self) -> bool {
        let id = |entry: &Entry| entry.member().id;
        let follow = self.entries.iter().skip(1);
        let forgotten = self.forgotten == 0 || self.forgotten < self.epoch;
        self.epoch <= MAX_EPOCH
            && forgotten
            && self.entries.iter().all(|entry| self.may_have(entry))
            && self.entries.iter().zip(follow).all(|(one, next)| id(one) < id(next))
    }

    fn may_have(&self, entry: &Entry) -> bool {
        entry.is_sound() && entry.changed() <= self.epoch
    }
}

const ENTRIES: Form = Form { name: "list", of: Some(&<Entry as Field<'static>>::FORM) };

impl<S: Storage> Wire<'_> for Topology<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.epoch);
        out.u64(self.forgotten);
        out.u64(self.entries.len() as u64);
        for entry in self.entries.iter() {
            entry.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new().read(input)
    }
}

/// By hand, as a declared type has no list that depends on a storage.
impl<S: Storage> Declared<'_> for Topology<S> {
    const SHAPE: Shape = Shape {
        name: "Topology",
        variants: &[Variant {
            number: None,
            name: "Topology",
            doc: &[],
            fields: &[
                FieldShape {
                    name: "epoch",
                    form: <u64 as Field<'static>>::FORM,
                    doc: &[
                        "A Lamport clock of changes: above all that the author of the last one knew.",
                    ],
                },
                FieldShape {
                    name: "forgotten",
                    form: <u64 as Field<'static>>::FORM,
                    doc: &[
                        "An incarnation that began up to this epoch, and is not in the list, is forgotten.",
                    ],
                },
                FieldShape {
                    name: "entries",
                    form: ENTRIES,
                    doc: &["All that are or were members, sorted by node."],
                },
            ],
        }],
    };

    fn name(&self) -> &'static str {
        "Topology"
    }

    fn visit(&self, visitor: &mut dyn FnMut(VisitedField<'_>)) {
        for (name, number) in [("epoch", &self.epoch), ("forgotten", &self.forgotten)] {
            visitor(VisitedField { name, value: number.value(), text: &Shown(number) });
        }
        let text = &Entries(&self.entries);
        visitor(VisitedField { name: "entries", value: FieldValue::Other, text });
    }

    fn encode_declared(&self, out: &mut Writer<'_>) {
        self.encode(out);
    }

    fn decode_declared(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode(input)
    }
}

impl<S: Storage> Field<'_> for Topology<S> {
    const FORM: Form = Form::named("Topology");

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, forgotten, .. } = self;
        write!(f, "epoch {epoch}, forgotten {forgotten}, entries {}", Entries(&self.entries))
    }

    /// Entries that do not go with the rest are left out.
    fn generate(source: &mut Source<'_>) -> Self {
        let mut list = Self { revision: Revision::of_decoded(), ..Self::new() };
        list.epoch = source.field("epoch").number().min(MAX_EPOCH);
        let forgotten = source.field("forgotten").number();
        list.forgotten = forgotten.min(list.epoch.saturating_sub(1));
        for _ in 0..source.byte() & 7 {
            let entry = Entry::generate(source).adjusted();
            if list.entries.len() < list.limit()
                && list.may_have(&entry)
                && let Err(place) = list.place_of(entry.member().id)
            {
                let _ = insert_at(&mut list.entries, place, entry); // there is room
            }
        }
        list
    }
}

/// Entries as text.
struct Entries<'a>(&'a [Entry]);

impl fmt::Display for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "[";
        for entry in self.0 {
            write!(f, "{between}{} {}", entry.member().id, entry.state())?;
            between = ", ";
        }
        f.write_str(if self.0.is_empty() { "[]" } else { "]" })
    }
}

#[cfg(feature = "defmt")]
impl<S: Storage> defmt::Format for Topology<S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Self { epoch, forgotten, entries, .. } = self;
        defmt::write!(f, "epoch {}, forgotten {}, {}", epoch, forgotten, &**entries);
    }
}
