// Loans in the rounds of DrfAllocator (docs/decisions/008): after all others had their turn, what
// is still held back for guarantees is lent to those who take revocable resources; and before that,
// what was lent and sits in offers is recalled where a guarantee could be served by it.
//
// An agent of which more could have been lent, had more been held back, is visited again once more
// may be lent in all. Agents with something to recall are candidates like those with something
// free: whoever is new, revived or not refusing any more makes a round look at them.

#include <algorithm>
#include <utility>

#include "common/loans.h"
#include "master/allocator/drf_allocator.h"

namespace tepui {

// ---------------------------------------------------------------- sums

void DrfAllocator::note_loan(const AgentBook& book) {
  const auto list = [&book](std::set<uint32_t>& agents, const Resources& what) {
    if (what.empty()) {
      agents.erase(book.handle().index);
    } else {
      agents.insert(book.handle().index);
    }
  };
  list(lent_agents_, book.lent());
  list(lenders_, book.recallable());
}

void DrfAllocator::count_lent(const AgentBook& book, QuotaBook& quota) const {
  QuotaBook::Row lent;
  QuotaBook::Row recallable(quota.names(), 0);
  quota.measure(as_regular(book.lent()), lent);
  if (book.active && book.listed) quota.measure(as_regular(book.recallable()), recallable);
  quota.set_lent(book.handle().index, lent, recallable);
}

void DrfAllocator::set_running(AgentHandle agent, const Resources& revocable) {
  AgentBook* book = find(agent);
  if (book == nullptr) return;
  book->set_running(revocable);
  if (!book->has_loan()) return;
  update_free(agent.index);
  loosened_ = true;
}

Resources DrfAllocator::lent(AgentHandle agent) const {
  const AgentBook* book = find(agent);
  return book == nullptr ? Resources() : book->lent();
}

LentSums DrfAllocator::lent_sums() const {
  LentSums sums;
  for (const uint32_t agent : lent_agents_) {
    sums.lent.add(books_[agent].lent().quantities());
    sums.offered.add(books_[agent].recallable().quantities());
  }
  return sums;
}

void DrfAllocator::set_lending(bool on) {
  if (lending_ == on) return;
  lending_ = on;
  update_all_free();
  if (on) {
    candidates_.touch_all();
  } else {
    for (const uint32_t agent : lenders_) recalls_.push_back(books_[agent].handle());
  }
}

std::vector<AgentHandle> DrfAllocator::take_recalls() { return std::exchange(recalls_, {}); }

// ---------------------------------------------------------------- what is lent

bool DrfAllocator::may_lend_more() const {
  if (!is_lending() || unlent_.empty()) return false;
  QuotaBook::Row row;
  quota_.lendable(row);
  if (row.size() != unlent_above_.size()) return true;
  for (size_t name = 0; name < row.size(); ++name) {
    if (row[name] > unlent_above_[name]) return true;
  }
  return false;
}

void DrfAllocator::touch_unlent() {
  if (!may_lend_more()) return;
  for (const uint32_t agent : unlent_) {
    books_[agent].unlent = false;
    candidates_.touch(agent);
  }
  unlent_.clear();
}

void DrfAllocator::lend_from(uint32_t agent, std::vector<Grant>& grants) {
  AgentBook& book = books_[agent];
  if (!candidates_.is_free(agent) || book.since_round == stats_.rounds) return;
  if (recalled_agents_.contains(agent)) return;
  QuotaBook::Row may;
  quota_.lendable(may);
  quota_.measure(lendable(book.available()), row_);
  bool any = false;
  bool all = true;
  for (size_t name = 0; name < may.size(); ++name) {
    any = any || std::min(row_[name], may[name]) > 0;
    all = all && row_[name] <= may[name];
  }
  if (!all && !std::exchange(book.unlent, true)) unlent_.push_back(agent);
  if (!any) return;
  const size_t before = grants.size();
  if (clients_.any_random()) draw_for(Candidates::round_key(seed_, stats_.rounds), agent);
  clients_.begin_roles();
  for (uint32_t role = clients_.next_role(); role != Clients::kNone; role = clients_.next_role()) {
    if (book.available().empty()) break;
    lend_to(book, role, grants);
  }
  if (grants.size() > before) update_free(agent);
}

// With what is lent goes what the framework could have of the agent anyway.
void DrfAllocator::lend_to(AgentBook& book, uint32_t role, std::vector<Grant>& grants) {
  clients_.begin_frameworks(role);
  for (uint32_t index = clients_.next_framework(role); index != Clients::kNone;
       index = clients_.next_framework(role)) {
    if (!clients_.at(index)->revocable_resources) continue;
    const Resources left = offer_for(book, index, role);
    if (left.empty()) continue;
    Resources offer = bounded_offer(book, role, left);
    QuotaBook::Row may;
    quota_.lendable(may);
    const Resources loan = quota_.take(lendable(left - offer), may, QuotaBook::Unnamed::kDrop);
    if (loan.empty()) continue;
    offer += as_revocable(loan);
    if (!is_worth_offering(index, role, offer) || is_refused(book, index, role, offer)) continue;
    book.lend(loan);
    ++stats_.loans;
    grant(book, index, role, std::move(offer), grants);
    if (book.available().empty()) return;
  }
}

// ---------------------------------------------------------------- what is recalled

std::vector<uint32_t> DrfAllocator::lenders() const {
  std::vector<std::pair<QuotaBook::Row, uint32_t>> ranked;
  for (const uint32_t agent : lenders_) {
    const AgentBook& book = books_[agent];
    if (!book.active || !book.listed) continue;
    QuotaBook::Row row;
    quota_.measure(as_regular(book.recallable()), row);
    ranked.emplace_back(std::move(row), agent);
  }
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<uint32_t> order;
  for (const auto& [row, agent] : ranked) order.push_back(agent);
  return order;
}

// What is free was offered to those who are guaranteed it by now. What they still lack may come
// from loans: each agent that is recalled is taken to serve all that it can.
void DrfAllocator::recall() {
  if (lenders_.empty() || !quota_.holds_back()) return;
  for (const uint32_t agent : lenders()) {
    if (!could_serve(books_[agent])) continue;
    recalled_agents_.insert(agent);
    recalls_.push_back(books_[agent].handle());
    ++stats_.recalls;
    if (!quota_.holds_back()) break;
  }
  for (const auto& [node, row] : planned_) quota_.release(node, row);
  planned_.clear();
}

bool DrfAllocator::could_serve(const AgentBook& book) {
  Resources left = book.available() + as_regular(book.recallable());
  bool any = false;
  for (const uint32_t role : clients_.by_name()) {
    quota_.bounds(quota_node(role), bounds_);
    if (!bounds_.any_guaranteed()) continue;
    for (uint32_t index = 0; index < clients_.frameworks_capacity(); ++index) {
      if (!clients_.is_listed(index, role)) continue;
      const Resources usable = offer_of(book, left, index, role);
      QuotaBook::Row rest;
      const Resources offer = guaranteed_part(usable.filter(counts_in_quota), rest);
      if (offer.empty() || !is_worth_offering(index, role, offer) ||
          is_refused(book, index, role, offer)) {
        continue;
      }
      any = true;
      left -= offer;
      quota_.measure(offer, row_);
      quota_.consume(quota_node(role), row_);
      planned_.emplace_back(quota_node(role), row_);
      quota_.bounds(quota_node(role), bounds_);
    }
  }
  return any;
}

bool DrfAllocator::is_lent_away(const AgentBook& book, uint32_t role,
                                const QuotaBook& quota) const {
  if (book.lent().empty() || !quota.any()) return false;
  QuotaBook::Bounds bounds;
  quota.bounds(quota.node_of(clients_.role(role).name), bounds);
  return bounds.any_guaranteed();
}

}  // namespace tepui
