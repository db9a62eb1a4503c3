-- What usage tells of a book.
-- @part
-- @include spender

-- The reply for a *book* that was opened with `u:` of this month; *stored*: what there is of conversations.
-- Reply: 'ok', {four limits, '' for none}, {day, resets at, its window}, {month, resets at, its window}, usage by
--        model, stored
local function shown_usage(book, stored)
  local day_resets, month_resets = resets_at(book.now_s)
  local function shown(name, resets)
    local numbers = {name, text(resets)}
    for i = 1, 6 do numbers[#numbers + 1] = text(window_of(book, name)[i]) end
    return numbers
  end
  local limits = {}
  for i = 1, #POLICIES do limits[i] = book.limits[i] and text(book.limits[i]) or '' end
  local models = book.fields['u:' .. book.month] or ''
  return {'ok', limits, shown(book.day, day_resets), shown(book.month, month_resets), models, stored}
end
