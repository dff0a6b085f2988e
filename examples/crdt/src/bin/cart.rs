//! A shopping cart on a phone and a laptop that do not always hear each other: a map from items to quantities. What is
//! removed here while it is changed there stays, with the change; two quantities set at once are both kept, for the user
//! to decide.

use std::error::Error;

use quorate_clocks::Heap;
use quorate_crdt::{MvRegister, OrMap, UpdateError};
use quorate_crdt_demo::Group;

type Cart = OrMap<String, MvRegister<u32, Heap>>;
const PHONE: usize = 0;
const LAPTOP: usize = 1;

fn main() -> Result<(), Box<dyn Error>> {
    for line in shop()? {
        println!("{line}");
    }
    Ok(())
}

fn shop() -> Result<Vec<String>, Box<dyn Error>> {
    let mut group = Group::new(2, &Cart::new())?;
    let mut lines = Vec::new();
    set(&mut group, PHONE, "tea", 1)?;
    set(&mut group, PHONE, "milk", 2)?;
    group.seconds(2)?;
    lines.push(format!("together: {}", show(&group, LAPTOP)));
    group.cut(Some(1));
    group.update(PHONE, |cart, _| Ok::<_, UpdateError>(cart.remove(&"milk".to_owned())))?;
    set(&mut group, LAPTOP, "milk", 3)?;
    set(&mut group, PHONE, "tea", 5)?;
    set(&mut group, LAPTOP, "tea", 4)?;
    group.seconds(2)?;
    lines.push(format!("phone:    {}", show(&group, PHONE)));
    lines.push(format!("laptop:   {}", show(&group, LAPTOP)));
    group.cut(None);
    group.seconds(3)?;
    lines.push(format!("phone:    {}", show(&group, PHONE)));
    lines.push(format!("laptop:   {}", show(&group, LAPTOP)));
    Ok(lines)
}

fn set(group: &mut Group<Cart>, node: usize, item: &str, count: u32) -> Result<(), UpdateError> {
    group.update(node, |cart, me| cart.edit(&item.to_owned(), |register| register.set(me, count)))
}

fn show(group: &Group<Cart>, node: usize) -> String {
    let Some(cart) = group.state(node) else { return String::new() };
    let item = |key: &String| {
        let counts: Vec<String> = cart
            .get(key)
            .iter()
            .flat_map(|register| register.values().map(u32::to_string).collect::<Vec<_>>())
            .collect();
        format!("{key} {}", counts.join(" or "))
    };
    cart.keys().map(item).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_see_the_same() -> Result<(), Box<dyn Error>> {
        let lines = shop()?;
        assert_eq!(lines.last().map(String::as_str), Some("laptop:   milk 3, tea 4 or 5"));
        Ok(())
    }
}
