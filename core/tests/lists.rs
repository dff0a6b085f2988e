//! Both bounded lists against a vector with a limit.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
#[cfg(feature = "alloc")]
use quorate_core::HeapList;
use quorate_core::{Full, InlineList, List};

const LIMIT: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Extend(Vec<u8>),
    Remove(usize),
    Truncate(usize),
    Clear,
    Set(usize, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u8>().prop_map(Step::Push),
        2 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Step::Extend),
        2 => (0usize..6).prop_map(Step::Remove),
        1 => (0usize..6).prop_map(Step::Truncate),
        1 => Just(Step::Clear),
        1 => (0usize..6, any::<u8>()).prop_map(|(at, value)| Step::Set(at, value)),
    ];
    prop::collection::vec(step, 0..40)
}

fn agrees(mut list: impl List<u8>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model: Vec<u8> = Vec::new();
    prop_assert_eq!(list.limit(), LIMIT);
    for step in steps {
        match step {
            Step::Push(value) => {
                let fits = model.len() < LIMIT;
                prop_assert_eq!(list.push(value), if fits { Ok(()) } else { Err(Full) });
                model.extend(fits.then_some(value));
            }
            Step::Extend(values) => {
                let fits = model.len() + values.len() <= LIMIT;
                let expected = if fits { Ok(()) } else { Err(Full) };
                prop_assert_eq!(list.extend_from_slice(&values), expected);
                model.extend(values.into_iter().filter(|_| fits));
            }
            Step::Remove(at) => {
                let expected = (at < model.len()).then(|| model.remove(at));
                prop_assert_eq!(list.remove(at), expected);
            }
            Step::Truncate(len) => {
                list.truncate(len);
                model.truncate(len);
            }
            Step::Clear => {
                list.clear();
                model.clear();
            }
            Step::Set(at, value) => {
                prop_assert_eq!(list.get(at), model.get(at));
                let set = list.get_mut(at).map(|place| *place = value);
                prop_assert_eq!(set, model.get_mut(at).map(|place| *place = value));
            }
        }
        prop_assert_eq!(&*list, &model[..]);
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_inline_list_is_a_vector_with_a_limit(steps in steps()) {
        agrees(InlineList::<u8, LIMIT>::with_limit(99), steps)?;
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_heap_list_is_a_vector_with_a_limit(steps in steps()) {
        agrees(HeapList::with_limit(LIMIT), steps)?;
    }
}

#[test]
fn nothing_fits_where_there_is_no_room() {
    let mut none = InlineList::<u8, 0>::with_limit(1);
    assert_eq!((none.limit(), none.push(1)), (0, Err(Full)));
    assert_eq!(none.extend_from_slice(&[]), Ok(()));
    assert!(none.is_empty() && none.remove(0).is_none());
    #[cfg(feature = "alloc")]
    {
        let mut none = HeapList::with_limit(0);
        assert_eq!((none.limit(), none.push(1)), (0, Err(Full)));
        assert_eq!(none.extend_from_slice(&[1]), Err(Full));
        assert_eq!(none.extend_from_slice(&[]), Ok(()));
        assert!(none.is_empty() && none.remove(0).is_none());
    }
}
